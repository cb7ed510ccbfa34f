package main

// timerHeap is the timers of a floor, the earliest first: a heap of four children, whose path is half as long as that of two.
type timerHeap []timer

type timer struct{ atNS, id int64 }

func (h *timerHeap) push(t timer) {
	*h = append(*h, t)
	all := *h
	i := len(all) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if all[parent].atNS <= t.atNS {
			break
		}
		all[i] = all[parent]
		i = parent
	}
	all[i] = t
}

func (h *timerHeap) pop() timer {
	all := *h
	first, last := all[0], all[len(all)-1]
	*h = all[:len(all)-1]
	if len(*h) > 0 {
		h.replace(last)
	}
	return first
}

// replace puts t in the place of the first.
func (h *timerHeap) replace(t timer) {
	all, i := *h, 0
	for {
		least, end := 4*i+1, min(4*i+5, len(all))
		if least >= len(all) {
			break
		}
		for child := least + 1; child < end; child++ {
			if all[child].atNS < all[least].atNS {
				least = child
			}
		}
		if t.atNS <= all[least].atNS {
			break
		}
		all[i] = all[least]
		i = least
	}
	all[i] = t
}

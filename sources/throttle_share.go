package sources

import "slices"

// share is what one poller has had of a bucket. Without shares the poller that asks first whenever there is something gets all of it,
// and a split that gets nothing holds back the watermark.
type share struct {
	taken   int64 // tokens, counted from that of the shares that waited when it began to want some
	untilNS int64 // until when the others wait for it; 0: it does not wait
}

// patienceNS is how long after it was to come a share that waits is waited for: the task of its split may be blocked.
const patienceNS = 10 * openPollNS

func (s *share) waits(nowNS int64) bool { return nowNS <= s.untilNS }

// leastWaiting is the least that a share other than s has had, of those that wait.
func (k *bucket) leastWaiting(s *share, nowNS int64) (least int64, any bool) {
	for _, o := range k.shares {
		if o != s && o.waits(nowNS) && (!any || o.taken < least) {
			least, any = o.taken, true
		}
	}
	return least, any
}

func (k *bucket) join() *share {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := new(share)
	k.shares = append(k.shares, s)
	return s
}

func (k *bucket) leave(s *share) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shares = slices.DeleteFunc(k.shares, func(o *share) bool { return o == s })
}

package sim

import "slices"

// Shrink looks for a smaller run that fails too: without faults, then with fewer records, then with fewer operators. It may be
// another failure.
func Shrink(o Options) Options {
	fails := func(o Options) bool {
		_, err := Run(o)
		return err != nil
	}
	without := func(names []string) {
		for _, name := range names {
			smaller := o
			smaller.Without = append(slices.Clone(o.Without), name)
			if !slices.Contains(o.Without, name) && fails(smaller) {
				o = smaller
			}
		}
	}
	s := draw(o)
	var on, steps []string
	for _, f := range faults {
		if s.rate[f] > 0 {
			on = append(on, f)
		}
	}
	without(on)
	for n := s.records / 2; n > 0; n /= 2 {
		smaller := o
		smaller.Records = n
		if !fails(smaller) {
			break
		}
		o = smaller
	}
	for _, b := range s.branches {
		steps = append(steps, b.op)
	}
	without(append(steps, s.first...))
	return o
}

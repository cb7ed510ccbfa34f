package millracetest

import (
	"fmt"
	"math/rand/v2"
)

// Variant is one way of running a script. The zero Variant is the plain one.
type Variant struct {
	// Name is the subtest's; empty: plain.
	Name string
	// Parallelism of sources and keyed operators, in the first attempt and, one after the other, in those that are restored; it begins
	// again at its end. Empty: 1.
	Parallelism []int
	// Refuse gives all lanes room for one batch of one record, and makes each refuse half of all sends, chosen by the seed.
	Refuse bool
	// RestoreEvery is after how many actions there are a snapshot and new tasks; 0: none.
	RestoreEvery int
	// Crash ends each action's attempt somewhere in its middle and restores the newest epoch, cut before the action or in it.
	Crash bool
	// Shuffle lets the tasks take their turns in an order made from Seed; else they follow one another.
	Shuffle bool
	// Seed makes the order and the points of a crash.
	Seed uint64
}

// Plain is one task for each chain and nothing else.
func Plain() Variant { return Variant{Name: "plain"} }

// Variants are those that Play and Run use: Plain first. Whatever is random in them comes from seed.
func Variants(seed uint64) []Variant {
	vs := []Variant{
		Plain(),
		{Name: "refusing lanes", Refuse: true},
		{Name: "restored after every action", RestoreEvery: 1},
		{Name: "parallelism 2", Parallelism: []int{2}, Shuffle: true},
		{Name: "parallelism 3, refusing lanes", Parallelism: []int{3}, Refuse: true, Shuffle: true},
		{Name: "parallelism 4", Parallelism: []int{4}, Shuffle: true},
		{Name: "rescaled 1 3 2 4", Parallelism: []int{1, 3, 2, 4}, RestoreEvery: 1, Shuffle: true},
		{Name: "crashed", Crash: true, Shuffle: true},
		{Name: "crashed, rescaled 4 1 3 2, refusing lanes", Parallelism: []int{4, 1, 3, 2}, Crash: true, Refuse: true, Shuffle: true},
	}
	for i := range vs {
		vs[i].Seed = seed + uint64(i)
		if vs[i].Shuffle {
			vs[i].Name = fmt.Sprintf("%s, seed %d", vs[i].Name, vs[i].Seed)
		}
	}
	return vs
}

// RandomVariant is a mix that seed chooses.
func RandomVariant(seed uint64) Variant {
	r := rand.New(rand.NewPCG(seed, 1))
	v := Variant{Name: fmt.Sprintf("seed %d", seed), Seed: seed, Shuffle: true, Refuse: r.IntN(2) == 0, Crash: r.IntN(3) == 0}
	for range 1 + r.IntN(4) {
		v.Parallelism = append(v.Parallelism, 1+r.IntN(4))
	}
	if !v.Crash {
		v.RestoreEvery = r.IntN(4)
	}
	return v
}

// parallelism of attempt n, from 0.
func (v Variant) parallelism(n int) int {
	if len(v.Parallelism) == 0 {
		return 1
	}
	return v.Parallelism[n%len(v.Parallelism)]
}

package operators

// begin makes j the first slice of a key.
func (x *aligned[K, T, A, V]) begin(s held[A], j int64) {
	s.Newest, s.Last, s.Block = j, -never, j>>x.bits
}

// reading is block n of a key for reading, nil when there is none.
func (x *aligned[K, T, A, V]) reading(s held[A], hash uint64, k K, n int64) []cell[A] {
	switch {
	case n == s.Block:
		return s.cells
	case n<<x.bits > s.Last:
		return nil
	}
	return x.keys.oldGet(hash, k, n)
}

// peek is the cell of slice j, nil when it is empty.
func (x *aligned[K, T, A, V]) peek(s held[A], hash uint64, k K, j int64) *cell[A] {
	b := x.reading(s, hash, k, j>>x.bits)
	if b == nil {
		return nil
	}
	if c := &b[j&int64(len(b)-1)]; !c.empty() {
		return c
	}
	return nil
}

// writing is the cell of slice j.
func (x *aligned[K, T, A, V]) writing(s held[A], hash uint64, k K, j int64) *cell[A] {
	n, i := j>>x.bits, j&int64(len(s.cells)-1)
	switch {
	case n > s.Block:
		if !emptyCells(s.cells) {
			copy(x.keys.oldAt(hash, k, s.Block), s.cells)
			s.Last = s.Newest
		}
		clear(s.cells)
		s.Block = n
	case n < s.Block:
		s.Last = max(s.Last, j)
		return &x.keys.oldAt(hash, k, n)[i]
	}
	s.Newest = max(s.Newest, j)
	return &s.cells[i]
}

func emptyCells[A any](b []cell[A]) bool {
	for i := range b {
		if !b[i].empty() {
			return false
		}
	}
	return true
}

func changedCells[A any](b []cell[A]) bool {
	for i := range b {
		if b[i].Marks&cellChanged != 0 {
			return true
		}
	}
	return false
}

// settleCells says of cells that they have been emitted.
func settleCells[A any](b []cell[A]) {
	for i := range b {
		b[i].Marks &^= cellChanged
	}
}

// settle says of the slices from from on that they have been emitted, which firings may have merged when they had not.
func (x *aligned[K, T, A, V]) settle(s held[A], hash uint64, k K, from int64) {
	if from <= x.merged {
		s.Touched++
	}
	settleCells(s.cells)
	for n := from >> x.bits; n <= s.Last>>x.bits; n++ {
		if changedCells(x.keys.oldGet(hash, k, n)) {
			settleCells(x.keys.oldAt(hash, k, n))
		}
	}
}

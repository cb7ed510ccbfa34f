package invariants

// Sized is full, or small in a build with checks, where the same test takes about ten times as long.
func Sized[N any](full, small N) N {
	if On {
		return small
	}
	return full
}

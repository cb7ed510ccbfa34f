package operators

// JoinStatic emits f of each record and each row of its key. Nobody changes rows any more.
func JoinStatic[K comparable, T, V, U any](e *Env, rows map[K][]V, key func(T) K, f func(T, V) U, next func(U)) func(T) {
	return func(v T) {
		found := rows[key(v)]
		if len(found) == 0 {
			e.Filtered++
			return
		}
		for i := range found {
			next(f(v, found[i]))
		}
	}
}

// LeftJoinStatic is JoinStatic that emits f of a record without rows too.
func LeftJoinStatic[K comparable, T, V, U any](rows map[K][]V, key func(T) K, f func(T, V, bool) U, next func(U)) func(T) {
	return func(v T) {
		found := rows[key(v)]
		if len(found) == 0 {
			var none V
			next(f(v, none, false))
			return
		}
		for i := range found {
			next(f(v, found[i], true))
		}
	}
}

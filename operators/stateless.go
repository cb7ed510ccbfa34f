package operators

// Map emits f of each record.
func Map[T, U any](f func(T) U, next func(U)) func(T) {
	return func(v T) { next(f(v)) }
}

// Filter passes the records for which keep is true and counts the others.
func Filter[T any](e *Env, keep func(T) bool, next func(T)) func(T) {
	return func(v T) {
		if keep(v) {
			next(v)
			return
		}
		e.Filtered++
	}
}

// FlatMap hands f the record and the next step: it emits any number of records, in order.
func FlatMap[T, U any](f func(T, func(U)), next func(U)) func(T) {
	return func(v T) { f(v, next) }
}

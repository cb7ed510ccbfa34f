package operators

// Unkeyed is the key of records that have none.
type Unkeyed struct{}

// ProcessEach compiles a processor without keys, state and timers.
func ProcessEach[T, U any](e *Env, id string, handle Handler[Unkeyed, T, U], sides map[string]any, next func(U)) func(T) {
	c := NewProcessor[Unkeyed](e, id, sides, next).context
	return func(v T) {
		if err := handle(c, v); err != nil {
			panic(UserError{Operator: id, Err: err})
		}
	}
}

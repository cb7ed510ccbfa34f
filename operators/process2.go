package operators

// Process2 compiles a processor of two inputs for one task: they share its key, its state and its timers.
func Process2[K comparable, T, T2, U any](e *Env, id string, left func(T) K, right func(T2) K, setup func(*Setup[K, U]) (Handler[K, T, U], Handler[K, T2, U]), sides map[string]any, next func(U)) (func(T), func(T2), error) {
	p := NewProcessor[K](e, id, sides, next)
	var onLeft Handler[K, T, U]
	var onRight Handler[K, T2, U]
	err := p.Declare(func(s *Setup[K, U]) bool {
		onLeft, onRight = setup(s)
		return onLeft == nil || onRight == nil
	})
	if err != nil {
		return nil, nil, err
	}
	return Handle(p, left, onLeft), Handle(p, right, onRight), nil
}

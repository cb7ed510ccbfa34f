package kafkasource

// Portable implements sources.Portable: where a split begins and ends is in its position, and its reader finds the rest at the brokers. Each process that
// reads needs the password of its own.
func (s *Source[T]) Portable() bool { return true }

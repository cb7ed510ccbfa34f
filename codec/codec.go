package codec

// Codec translates between a value and its bytes at the ends of a job. Implementations are safe for use by several
// goroutines and against hostile input: Decode returns an error, never panics, and allocates in proportion to its input.
type Codec[T any] interface {
	// Append appends the encoding of v to dst and returns the extended slice.
	Append(dst []byte, v T) ([]byte, error)
	// Decode reads all of src. The value may not alias src.
	Decode(src []byte) (T, error)
}

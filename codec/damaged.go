package codec

import (
	"errors"
	"fmt"
	"strings"
)

// ErrDamaged is wrapped by every error about bytes that are not an encoding of the wanted type.
var ErrDamaged = errors.New("encoded bytes are damaged")

// damaged says what is wrong with the bytes.
func damaged(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrDamaged)...)
}

// fieldError says where in a value the bytes could not be decoded.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return "field " + e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// inField puts a name before the path of a decoding error. Names of elements are in brackets.
func inField(name string, err error) error {
	var in *fieldError
	switch {
	case !errors.As(err, &in):
		return &fieldError{name, err}
	case strings.HasPrefix(in.path, "["):
		return &fieldError{name + in.path, in.err}
	}
	return &fieldError{name + "." + in.path, in.err}
}

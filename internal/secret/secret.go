// Package secret keeps passwords out of texts.
package secret

import (
	"fmt"
	"log/slog"
)

// Text is a text that no log, error or dump shows.
type Text string

const redacted = "[redacted]"

// String hides the secret.
func (Text) String() string { return redacted }

// GoString hides the secret.
func (Text) GoString() string { return redacted }

// Format hides the secret under every verb.
func (Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the secret.
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

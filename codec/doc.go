// Package codec turns values into bytes and back: codecs for the ends of a job (String, Bytes, JSON), the encoding derived
// from a Go type that lanes and state use, and the canonical bytes and stable hash of keys.
package codec

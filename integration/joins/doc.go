// Package joins tests the joins, the processor of two inputs and dedup of the public API under the test kit's variants. They have a
// room of their own because each of their operators is many types to compile.
package joins

// Package windows tests the windows of the public API under the test kit's variants. They have a room of their own because each of
// their operators is many types to compile.
package windows

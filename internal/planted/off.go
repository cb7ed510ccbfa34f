//go:build !planted

package planted

// On says whether the bug of this name is planted: never, in this build.
func On(string) bool { return false }

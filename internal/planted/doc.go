// Package planted puts known bugs into a build with -tags planted, so that the tests that claim to find such bugs can be tested: each call of
// On stands where a bug would, and names it. In every other build On is false, and the compiler leaves nothing of it.
package planted

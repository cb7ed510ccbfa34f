// Package invariants checks what comments claim: active under -race or -tags invariants, free otherwise.
package invariants

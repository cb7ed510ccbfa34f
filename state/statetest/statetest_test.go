package statetest_test

import (
	"testing"

	"github.com/millrace-io/millrace/state"
	"github.com/millrace-io/millrace/state/statetest"
)

func TestMemory(t *testing.T) {
	statetest.Run(t, func(testing.TB) state.ByteStores { return nil })
}

func TestPaged(t *testing.T) {
	statetest.Run(t, func(testing.TB) state.ByteStores { return statetest.MapStores{} })
}

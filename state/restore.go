package state

import (
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/planted"
)

// restore applies a block.
func (c *core) restore(group flow.KeyGroup, count int, data []byte) error {
	g := int(group) - c.lo
	c.reserve(g, min(count, len(data)/2))
	return eachEntry(data, func(key, value []byte, deleted bool) error {
		h, want, err := c.restoredKey(group, key)
		if err != nil {
			return err
		}
		p, k := &c.parts[g], stringOf(key)
		i, pos, ok := c.find(g, h, want, k)
		if deleted {
			if ok && !planted.On("deletion-not-restored") {
				c.release(g, i, pos)
			}
			return nil
		}
		if ok && planted.On("older-entry-wins") {
			return nil
		}
		if !ok {
			pos, _ = c.add(g, i, h, c.keep(p, want, k))
		}
		return c.shape.decode(value, p.sl.at(pos).value())
	})
}

func (c *core) restored() error {
	c.queueRestored()
	return nil
}

// restoredKey checks the canonical bytes of a key out of a block of a key group.
func (c *core) restoredKey(group flow.KeyGroup, key []byte) (h uint64, want arenaKey, err error) {
	if h, err = c.keys.hash(key); err != nil {
		return 0, want, fmt.Errorf("key: %w", err)
	}
	switch {
	case len(key) > keyLenMax:
		return 0, want, fmt.Errorf("key of %d bytes, want at most %d", len(key), keyLenMax)
	case flow.GroupOf(h, c.mask+1) != group:
		return 0, want, fmt.Errorf("key of group %d in a block of group %d: %w", flow.GroupOf(h, c.mask+1), group, delta.ErrDamaged)
	}
	want, err = c.wantedBytes(h, key)
	return h, want, err
}

// wantedBytes is what the entry of the key with these canonical bytes holds as its key.
func (c *core) wantedBytes(h uint64, key []byte) (arenaKey, error) {
	if !c.keys.word {
		return c.wanted(h, stringOf(key)), nil
	}
	w, err := c.keys.parseWord(key)
	return wordKey(w), err
}

// eachEntry calls f with the entries of a block's data.
func eachEntry(data []byte, f func(key, value []byte, deleted bool) error) error {
	for n := 0; len(data) > 0; n++ {
		key, value, deleted, rest, err := delta.Next(data)
		if err == nil {
			err = f(key, value, deleted)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", n, err)
		}
		data = rest
	}
	return nil
}

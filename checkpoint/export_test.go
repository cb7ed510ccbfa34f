package checkpoint

import "slices"

// Needed names the files without which the newest complete epoch cannot be restored, or cannot be known to be the newest.
func (l *Log) Needed() []string {
	names := append([]string{headName}, l.SlotNames()...)
	for _, r := range l.chain.newest.runs {
		names = append(names, r.name)
	}
	return names
}

// Kept names all files that must not be deleted now.
func (l *Log) Kept() []string {
	names := l.Needed()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.named() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// SlotNames names the slots from the newest complete epoch's on.
func (l *Log) SlotNames() (names []string) {
	for slot := l.chain.newest.slot; slot <= l.chain.slot; slot++ {
		names = append(names, slotName(slot))
	}
	return names
}

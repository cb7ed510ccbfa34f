package operators

// RowKey implements sinks.Keyed: rows of one key replace each other.
func (p Pair[K, V]) RowKey() any { return p.Key }

// RowKey implements sinks.Keyed: panes of one key and start replace each other.
func (p Pane[K, V]) RowKey() any { return p.Row() }

package millrace

import "fmt"

// sideOutput is a side output that is read.
type sideOutput struct {
	port    any // *port[U]
	compile func(*taskBuild) any
}

// side is the stream of a step's side output.
func side[U any](j *Job, st *step, tag Tag[U]) Stream[U] {
	out := newPort[U](st)
	switch old := st.sides[tag.Name()]; {
	case st.sides == nil:
		j.fault(fmt.Errorf("operator %q: %s has no side outputs; processors and windows have", st.ID, st.made))
	case old == nil:
		st.sides[tag.Name()] = &sideOutput{port: out, compile: func(tb *taskBuild) any { return out.sink(tb) }}
	default:
		if p, ok := old.port.(*port[U]); ok {
			return Stream[U]{j, p}
		}
		j.fault(fmt.Errorf("operator %q: side output %q read with two types", st.ID, tag.Name()))
	}
	return Stream[U]{j, out}
}

// compileSides compiles the side outputs that are read.
func (s *step) compileSides(tb *taskBuild) map[string]any {
	sides := map[string]any{}
	for name, side := range s.sides {
		sides[name] = side.compile(tb)
	}
	return sides
}

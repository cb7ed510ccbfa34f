package mailbox

import "fmt"

// SequenceError is the panic of a lane that lost or repeated a batch: the task fails and the job restores.
type SequenceError struct{ Want, Got uint64 }

func (e SequenceError) Error() string {
	return fmt.Sprintf("lane: batch %d arrived where %d was due; records were lost or repeated", e.Got, e.Want)
}

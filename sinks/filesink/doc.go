// Package filesink writes files of text lines, JSON lines or CSV into a directory, exactly once. A file is written under a
// hidden name and gets its own, complete and for good, when the batch that it belongs to is committed.
//
// What is guaranteed, where the job itself runs exactly-once with a state directory:
//
//   - The files with final names hold each record of the job's output once, whatever crashed in between: a process, the machine,
//     or a run that was overtaken and still writes.
//   - A file has its final name only when it is whole and durable, and never changes after. A reader needs no more than the
//     pattern of the names; the file source reads them as they appear.
//   - Output becomes visible with the batch that it belongs to: each trigger, or in real time each Config.CheckpointEvery of the job. The files of
//     a batch appear one after the other, not all at one instant.
//   - Nothing is ever overwritten. A file that is there under a name the sink wants, with other content, is an error.
//
// The directory must be in a file system with hard links that keeps what was synced: a local disk, or NFS from version 4 on.
// Files must stay until the job has gone on for another batch, as a restart looks whether they are there, unless
// Config.ReadersRemove is set.
package filesink

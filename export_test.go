package millrace

import "context"

// StartOn is Start with another measure of free disk space.
func (j *Job) StartOn(ctx context.Context, c Config, free func(dir string) (int64, error)) (*Query, error) {
	return j.start(ctx, c, free)
}

package analytics

// maxNumbers is how many numbers an answer keeps at the most while it is made,
// where Config.MaxNumbers does not say: 80 MB, and up to twice as much
// again while lists of them grow.
const maxNumbers = 10_000_000

// A room is what an answer has for values that it can't add up as they come: a
// percentile needs all of them. What an answer keeps of a day or of some
// pipelines is counted when it has them, so it is past the limit by one day of
// one project at the most.
type room struct{ left int }

// What some things take.
const (
	placeNumbers   = 4 // a place as a key of a map
	sliceNumbers   = 3 // a slice without its values
	dotNumbers     = 9
	failureNumbers = 6
	tryNumbers     = 11
	commitNumbers  = 10 // with its name, as a key of a map
	attemptNumbers = 10 // of a job by bucket, runner and ref, and all together: each run and queue
)

// take counts numbers of eight bytes.
func (r *room) take(numbers int) { r.left -= numbers }

// full fails where more was taken than there was, and says what to do.
func (r *room) full() error {
	if r.left >= 0 {
		return nil
	}
	return &FieldError{"range", "There are too many values in this time for one answer. Ask for a shorter time, for fewer projects, or for one job."}
}

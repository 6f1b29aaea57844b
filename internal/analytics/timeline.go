package analytics

// A Timeline is the time that an answer is about, and how it is cut.
type Timeline struct {
	From   Time   `json:"from"`
	To     Time   `json:"to"`
	Zone   string `json:"tz"`
	Bucket string `json:"bucket"` // the width
}

// A Slice is the time of one bucket.
type Slice struct {
	Start     Time `json:"start"`
	End       Time `json:"end"`
	IsRunning bool `json:"is_running"` // it has begun and not ended: the numbers are so far
}

// timeline cuts the filter's window.
func (a *Analytics) timeline(f *Filter) (Timeline, []Slice, *bucketing, error) {
	b, err := f.buckets()
	if err != nil {
		return Timeline{}, nil, nil, err
	}
	now := a.now()
	slices := make([]Slice, len(b.edges)-1)
	for i := range slices {
		start, end := b.edges[i], b.edges[i+1]
		slices[i] = Slice{Time(start), Time(end), !now.Before(start) && now.Before(end)}
	}
	return timeOf(f, f.Window, b.width.name), slices, &b, nil
}

func timeOf(f *Filter, w Window, bucket string) Timeline {
	return Timeline{Time(w.From), Time(w.To), f.Zone.String(), bucket}
}

// rate is a share; null where there is nothing to have a share of.
func rate(of, all int64) *float64 {
	if all == 0 {
		return nil
	}
	return new(float64(of) / float64(all))
}

// meanOf is a mean in seconds of milliseconds that were summed up.
func meanOf(ms, count int64) *float64 {
	if count == 0 {
		return nil
	}
	return new(float64(ms) / float64(count) / 1000)
}

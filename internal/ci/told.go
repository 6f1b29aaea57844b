package ci

// Told is what a record that is exported has beside its words: how far each is
// to be believed, so that a message that comes after a move merges as it would
// have before.
type Told struct {
	Pipeline Ranks     // of the pipeline's registers
	Jobs     []ToldJob // one for each of the report's jobs
	// Branch is the project's default branch when the pipeline was first
	// stored; empty: nobody had said which.
	Branch string
}

// A ToldJob is the key of an attempt and the ranks of its registers.
type ToldJob struct {
	Key   string
	Ranks Ranks
}

// toldRanks is nil for a message.
func (r *Report) toldRanks() Ranks {
	if r.Told == nil {
		return nil
	}
	return orNone(r.Told.Pipeline)
}

func (r *Report) toldJobRanks(i int) Ranks {
	if r.Told == nil {
		return nil
	}
	return orNone(r.Told.Jobs[i].Ranks)
}

// orNone is not nil: it says that nothing was said.
func orNone(rs Ranks) Ranks {
	if rs == nil {
		return Ranks{}
	}
	return rs
}

// Export returns all words of the record as one report with their ranks. Merged
// into an empty record it gives the same record. Branch is the default branch
// in force when the pipeline was first stored.
func (rec *Record) Export(branch string) Report {
	r := rec.Words
	r.Legacy = rec.Legacy
	r.Jobs = nil
	r.Told = &Told{Pipeline: rec.Ranks, Branch: branch}
	for _, a := range rec.Sorted() {
		if a.Legacy != "" { // a row of the legacy report
			continue
		}
		r.Jobs = append(r.Jobs, a.Attempt)
		r.Told.Jobs = append(r.Told.Jobs, ToldJob{a.Key, a.Ranks})
	}
	return r
}

// Restore gives back what JSON can't tell from nothing: an empty list of needs
// that was said.
func (r *Report) Restore() {
	if r.Told == nil || len(r.Told.Jobs) != len(r.Jobs) {
		return
	}
	for i := range r.Jobs {
		if a := &r.Jobs[i]; a.Needs == nil && r.Told.Jobs[i].Ranks.said(needsRegister) {
			a.Needs = []string{}
		}
	}
}

package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// buildVolumes makes volumes of the rows, one for each of the projects that has
// pipelines created from an instant to before another.
func (r *Reading) buildVolumes(ctx context.Context, projects []int64, from, to int64, want Columns) ([]*Volume, error) {
	args := []any{from, to}
	places := make([]string, len(projects))
	for i, id := range projects {
		args = append(args, id)
		places[i] = "$" + strconv.Itoa(len(args))
	}
	where := "p.project_id IN (" + strings.Join(places, ", ") + ") AND p.created_ms >= $1 AND p.created_ms < $2 ORDER BY p.project_id, p.created_ms, p.id"
	b := volumeBuilder{want: want}
	list := []string{"p.project_id", "p.id", "p.created_ms", "p.created_known", "p.on_default_branch", "p.has_restarts"}
	for i, column := range volumeSQL {
		if want>>i&1 != 0 {
			list = append(list, column)
		}
	}
	err := r.Rows(ctx, "SELECT "+strings.Join(list, ", ")+" FROM pipelines p WHERE "+where, args, b.pipeline)
	if err == nil && want&PhasesMS != 0 {
		// A CROSS JOIN keeps SQLite from reading all phases of the projects first.
		err = r.Rows(ctx, `SELECT p.project_id, p.id, f.phase, f.time_to_ms, f.span_ms, f.work_ms
FROM pipelines p CROSS JOIN phases f WHERE f.project_id = p.project_id AND f.pipeline_id = p.id AND `+where+", f.phase", args, b.phase)
	}
	if err != nil {
		return nil, fmt.Errorf("make volumes of rows: %w", err)
	}
	for _, v := range b.volumes {
		slices.SortFunc(v.phases, func(a, b volumePhase) int { return strings.Compare(a.name, b.name) })
	}
	return b.volumes, nil
}

// A volumeBuilder takes the pipelines in order, and then their phases.
type volumeBuilder struct {
	want    Columns
	volumes []*Volume
	ids     [][]int64 // of the pipelines, as volumes
	codes   [textColumns]map[string]uint32
	phases  map[string]int
	at      [2]int // the volume and the pipeline whose phases come

	row struct {
		project, id, created int64
		flags                [3]flag
		numbers              [numberColumns]number
		texts                [textColumns]word
	}
	to []any // the parts of row, for scan
}

func (b *volumeBuilder) pipeline(scan Scan) error {
	r := &b.row
	if b.to == nil {
		b.to = []any{&r.project, &r.id, &r.created, &r.flags[0], &r.flags[1], &r.flags[2]}
		for i := range volumeSQL {
			switch {
			case b.want>>i&1 == 0:
			case i < numberColumns:
				b.to = append(b.to, &r.numbers[i])
			default:
				b.to = append(b.to, &r.texts[i-numberColumns])
			}
		}
	}
	if err := scan(b.to...); err != nil {
		return err
	}
	if n := len(b.volumes); n == 0 || b.volumes[n-1].Project != r.project {
		v := &Volume{Project: r.project}
		for i := range v.texts {
			v.texts[i].Values, b.codes[i] = []string{""}, map[string]uint32{"": 0}
		}
		b.volumes, b.ids = append(b.volumes, v), append(b.ids, nil)
	}
	n := len(b.volumes) - 1
	v := b.volumes[n]
	b.ids[n] = append(b.ids[n], r.id)
	v.Created = append(v.Created, r.created)
	set := Flags(0)
	for i, f := range r.flags {
		if f {
			set |= 1 << i
		}
	}
	v.flags = append(v.flags, byte(set))
	for i := range v.numbers {
		if b.want>>i&1 != 0 {
			v.numbers[i] = append(v.numbers[i], int64(r.numbers[i]))
		}
	}
	for i := range v.texts {
		if b.want>>(numberColumns+i)&1 != 0 {
			v.texts[i].add(b.codes[i], string(r.texts[i]))
		}
	}
	return nil
}

// add puts a text at the end of a column; codes are the places of those that
// are there.
func (t *Texts) add(codes map[string]uint32, text string) {
	code, known := codes[text]
	if !known {
		code = uint32(len(t.Values))
		codes[text] = code
		t.Values = append(t.Values, text)
	}
	t.Codes = append(t.Codes, code)
}

// phase takes a row; the pipelines are all there.
func (b *volumeBuilder) phase(scan Scan) error {
	var project, id int64
	var name string
	var numbers [3]number
	if err := scan(&project, &id, &name, &numbers[0], &numbers[1], &numbers[2]); err != nil {
		return err
	}
	v := b.volumes[b.at[0]]
	for v.Project != project || b.ids[b.at[0]][b.at[1]] != id {
		if b.at[1]++; b.at[1] == len(v.Created) {
			b.at, b.phases = [2]int{b.at[0] + 1, 0}, nil
			v = b.volumes[b.at[0]]
		}
	}
	if b.phases == nil {
		b.phases = map[string]int{}
	}
	k, known := b.phases[name]
	if !known {
		k = len(v.phases)
		b.phases[name] = k
		p := volumePhase{name: name}
		for i := range p.numbers {
			p.numbers[i] = slices.Repeat([]int64{None}, len(v.Created))
		}
		v.phases = append(v.phases, p)
	}
	for i, n := range numbers {
		v.phases[k].numbers[i][b.at[1]] = int64(n)
	}
	return nil
}

// volumeDays is how many days a volume has; the day tells the volume by
// division.
const volumeDays = 32

// A volumeKey names a volume of a project.
type volumeKey struct{ project, volume int64 }

// A runKey is days of one volume that follow one another, and are read of the
// rows for several projects at once.
type runKey struct{ first, last int64 }

// Pipelines hands each the pipelines of projects (nil: of all) that were
// created from an instant to before another (Unix milliseconds): a volume and
// the rows of it that are meant, from one on to before another. The volumes come
// in no order, several of a project, and are overwritten when each returns. Days
// whose rows were written since they were packed come from the rows.
func (r *Reading) Pipelines(ctx context.Context, projects []int64, from, to int64, want Columns, each func(v *Volume, from, to int) error) error {
	if to <= from {
		return nil
	}
	first, last := from/dayMS, (to-1)/dayMS
	unpacked, err := r.staleDays(ctx, projects, first, last)
	if err != nil {
		return fmt.Errorf("read volumes: %w", err)
	}
	args := []any{first / volumeDays, last / volumeDays}
	text := "SELECT project_id, volume, days, body FROM volumes WHERE volume >= $1 AND volume <= $2" + among("project_id", projects, &args)
	var v Volume
	err = r.Rows(ctx, text, args, func(scan Scan) error {
		var key volumeKey
		var days uint32
		var body sql.RawBytes
		if err := scan(&key.project, &key.volume, &days, &body); err != nil {
			return err
		}
		asked := daysIn(key.volume, first, last)
		packed := days & asked &^ unpacked[key]
		unpacked[key] = asked &^ packed
		if packed == 0 {
			return nil
		}
		if v.unpack(key.project, body) != nil { // a memo that can't be read is none; the rows are there
			unpacked[key] = asked
			return nil
		}
		for run := range runs(key.volume, packed) {
			a, _ := slices.BinarySearch(v.Created, max(from, run.first*dayMS))
			b, _ := slices.BinarySearch(v.Created, min(to, (run.last+1)*dayMS))
			if a < b {
				if err := each(&v, a, b); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read volumes: %w", err)
	}
	return r.fromRows(ctx, unpacked, from, to, want, each)
}

// staleDays are the days that are not packed, by their volumes. An index has them
// alone, and they are few: to look for each of many projects takes longer than to
// read those of all.
func (r *Reading) staleDays(ctx context.Context, projects []int64, first, last int64) (map[volumeKey]uint32, error) {
	const few = 16
	stale := map[volumeKey]uint32{}
	args := []any{first, last}
	text := "SELECT project_id, day FROM days" + r.engine.byIndex("days_to_pack") + " WHERE body IS NULL AND day >= $1 AND day <= $2"
	asked := map[int64]bool{}
	if len(projects) <= few {
		text += among("project_id", projects, &args)
	}
	for _, id := range projects {
		asked[id] = true
	}
	return stale, r.Rows(ctx, text, args, func(scan Scan) error {
		var project, day int64
		err := scan(&project, &day)
		if projects == nil || asked[project] {
			stale[volumeKey{project, day / volumeDays}] |= 1 << (day % volumeDays)
		}
		return err
	})
}

// fromRows hands each what is not packed. What several projects lack alike,
// most often today, is read of all of them at once.
func (r *Reading) fromRows(ctx context.Context, unpacked map[volumeKey]uint32, from, to int64, want Columns, each func(v *Volume, from, to int) error) error {
	of := map[runKey][]int64{}
	for key, days := range unpacked {
		for run := range runs(key.volume, days) {
			of[run] = append(of[run], key.project)
		}
	}
	for _, run := range slices.SortedFunc(maps.Keys(of), func(a, b runKey) int { return int(a.first - b.first) }) {
		slices.Sort(of[run])
		for some := range slices.Chunk(of[run], buildProjects) {
			built, err := r.buildVolumes(ctx, some, max(from, run.first*dayMS), min(to, (run.last+1)*dayMS), want)
			if err != nil {
				return err
			}
			for _, v := range built {
				if err := each(v, 0, len(v.Created)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// among is the condition that a column is one of some numbers, after an AND;
// nil: any.
func among(column string, numbers []int64, args *[]any) string {
	if numbers == nil {
		return ""
	}
	places := []string{"NULL"}
	for _, n := range numbers {
		*args = append(*args, n)
		places = append(places, "$"+strconv.Itoa(len(*args)))
	}
	return " AND " + column + " IN (" + strings.Join(places, ", ") + ")"
}

// daysIn are the days of a volume from the first to the last, as bits.
func daysIn(volume, first, last int64) uint32 {
	low, high := max(0, first-volume*volumeDays), min(volumeDays-1, last-volume*volumeDays)
	if low > high {
		return 0
	}
	return uint32((uint64(1)<<(high+1) - 1) &^ (uint64(1)<<low - 1))
}

// runs are the days of a volume that follow one another.
func runs(volume int64, days uint32) func(func(runKey) bool) {
	return func(yield func(runKey) bool) {
		for d := int64(0); d < volumeDays; d++ {
			if days>>d&1 == 0 {
				continue
			}
			first := d
			for d+1 < volumeDays && days>>(d+1)&1 != 0 {
				d++
			}
			if !yield(runKey{volume*volumeDays + first, volume*volumeDays + d}) {
				return
			}
		}
	}
}

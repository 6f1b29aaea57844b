package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// BatchTexts returns the texts of the statements that write a batch, as
// PostgreSQL gets them.
func BatchTexts() []string {
	var all []string
	for _, st := range append(batchStatements, insertProjectsStatement) {
		place, _ := unnest(st.table, nil)
		all = append(all, fmt.Sprintf(st.text, place))
	}
	return all
}

// CheckDays compares all days that are packed with the rows, in one state of
// the database, and counts them and those that are not packed.
func CheckDays(ctx context.Context, s *Store) (packed, stale int, err error) {
	return packed, stale, s.Read(ctx, func(ctx context.Context, read *Reading) error {
		bodies := map[dayKey][2][]byte{}
		err := read.Rows(ctx, "SELECT project_id, day, body, steps FROM days", nil, func(scan Scan) error {
			var key dayKey
			var body [2][]byte
			err := scan(&key.project, &key.day, &body[0], &body[1])
			bodies[key] = body
			return err
		})
		if err != nil {
			return err
		}
		var lost int
		err = read.Rows(ctx, `SELECT count(*) FROM pipelines p WHERE NOT EXISTS
			(SELECT 1 FROM days d WHERE d.project_id = p.project_id AND d.day = p.created_ms / 86400000)`, nil, func(scan Scan) error { return scan(&lost) })
		if err != nil || lost > 0 {
			return fmt.Errorf("%d pipelines are of no day: %w", lost, err)
		}
		for key, body := range bodies {
			if body[0] == nil {
				stale++
				continue
			}
			packed++
			var was Day
			if _, err := was.unpack(s.packedDays, key.project, key.day, body[0], nil); err != nil {
				return err
			}
			if _, err := was.unpackSteps(s.packedDays, body[1], nil); err != nil {
				return err
			}
			is := &Day{}
			is.reset(key.project, key.day)
			built, err := read.build(ctx, []int64{key.project}, key.day, key.day, Steps)
			if err != nil {
				return err
			}
			if len(built) > 0 {
				is = built[0]
			}
			var a, b dayEncoder
			for _, d := range []struct {
				*Day
				to *dayEncoder
			}{{&was, &a}, {is, &b}} {
				d.columns(d.to)
				d.stepColumns(d.to)
			}
			if !bytes.Equal(a.to, b.to) {
				return fmt.Errorf("day %d of project %d is not as its rows are: packed %d pipelines and %d attempts, rows %d and %d",
					key.day, key.project, len(was.Pipelines.ID), len(was.Attempts.Started), len(is.Pipelines.ID), len(is.Attempts.Started))
			}
		}
		return nil
	})
}

// DayBytes is all that a day has.
func DayBytes(d *Day, want Parts) string {
	var e dayEncoder
	mine := *d // to pack it writes what follows from its columns
	mine.base, mine.Pipelines.First, mine.Steps.First = nil, nil, nil
	mine.columns(&e)
	if want&Steps != 0 {
		mine.stepColumns(&e)
	}
	return string(e.to)
}

// SharedNumbers is how many numbers are shared; more than MaxShared leave no room.
func SharedNumbers(s *Store) *atomic.Int64 { return &s.shared }

// MaxShared is the most that are shared.
const MaxShared = maxShared

// SetBodies makes the bodies of all packed days others.
func SetBodies(ctx context.Context, s *Store, body []byte) error {
	_, err := s.db.writer.ExecContext(ctx, "UPDATE days SET body = $1 WHERE body IS NOT NULL", body)
	return err
}

// ReadDamaged reads a packed day and its steps of which somebody damages what
// was compressed, and walks over what is taken for a day.
func ReadDamaged(s *Store, body, steps []byte, damage func([]byte) []byte) error {
	for _, b := range []*[]byte{&body, &steps} {
		unpacked, err := s.packedDays.unpack((*b)[1:])
		if err != nil {
			return err
		}
		packed, err := s.packedDays.pack(damage(unpacked))
		if err != nil {
			return err
		}
		*b = append([]byte{packedForm}, packed...)
	}
	var d Day
	_, err := d.unpack(s.packedDays, 1, 1, body, nil)
	if err == nil {
		_, err = d.unpackSteps(s.packedDays, steps, nil)
	}
	if err == nil {
		_, _, err = d.pack(s.packedDays)
	}
	return err
}

// PipelinesOf writes out all columns of the pipelines that were created in a
// time, of the rows and of the volumes in one state of the database, and says how
// many came from a volume of which a part was asked for.
func PipelinesOf(ctx context.Context, s *Store, from, to int64) (rows, volumes []string, parts int, err error) {
	return rows, volumes, parts, s.Read(ctx, func(ctx context.Context, read *Reading) error {
		projects := []int64{0}
		err := read.Rows(ctx, "SELECT id FROM projects", nil, func(scan Scan) error {
			var id int64
			err := scan(&id)
			projects = append(projects, id)
			return err
		})
		if err != nil {
			return err
		}
		built, err := read.buildVolumes(ctx, projects, from, to, allColumns)
		if err != nil {
			return err
		}
		for _, v := range built {
			rows = append(rows, writtenOut(v, 0, len(v.Created))...)
		}
		err = read.Pipelines(ctx, nil, from, to, allColumns, func(v *Volume, a, b int) error {
			if b-a < len(v.Created) {
				parts += b - a
			}
			volumes = append(volumes, writtenOut(v, a, b)...)
			return nil
		})
		slices.Sort(rows)
		slices.Sort(volumes)
		return err
	})
}

// writtenOut writes out rows of a volume.
func writtenOut(v *Volume, from, to int) (lines []string) {
	for i := from; i < to; i++ {
		var line strings.Builder
		fmt.Fprint(&line, v.Project, v.Created[i], v.Flags(i))
		for k := range numberColumns {
			fmt.Fprint(&line, " ", v.Numbers(1 << k)[i])
		}
		for k := range textColumns {
			fmt.Fprintf(&line, " %q", v.Texts(1<<(numberColumns+k)).At(i))
		}
		for _, p := range v.phases {
			phase := fmt.Sprint(" ", p.name, v.Phase(p.name, TimeTo)[i], v.Phase(p.name, Span)[i], v.Phase(p.name, Work)[i])
			if phase != fmt.Sprint(" ", p.name, int64(None), int64(None), int64(None)) {
				line.WriteString(phase)
			}
		}
		lines = append(lines, line.String())
	}
	return lines
}

// DamagedVolume tells what reading a packed volume says of bytes that are none.
func DamagedVolume(body []byte) error {
	var v Volume
	return v.unpack(1, body)
}

// WriterSetting is what a connection that writes to PostgreSQL is set to.
func WriterSetting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = s.db.writer.QueryRowContext(ctx, "SHOW "+name).Scan(&value)
	return value, err
}

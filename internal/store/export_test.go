package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
		bodies := map[dayKey][]byte{}
		err := read.Rows(ctx, "SELECT project_id, day, body FROM days", nil, func(scan Scan) error {
			var key dayKey
			var body []byte
			err := scan(&key.project, &key.day, &body)
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
			if body == nil {
				stale++
				continue
			}
			packed++
			var was Day
			if _, err := was.unpack(s.packedDays, key.project, key.day, body, nil); err != nil {
				return err
			}
			is := &Day{}
			is.reset(key.project, key.day)
			built, err := read.build(ctx, []int64{key.project}, key.day, key.day)
			if err != nil {
				return err
			}
			if len(built) > 0 {
				is = built[0]
			}
			var a, b dayEncoder
			was.columns(&a)
			is.columns(&b)
			if !bytes.Equal(a.to, b.to) {
				return fmt.Errorf("day %d of project %d is not as its rows are: packed %d pipelines and %d attempts, rows %d and %d",
					key.day, key.project, len(was.Pipelines.ID), len(was.Attempts.Started), len(is.Pipelines.ID), len(is.Attempts.Started))
			}
		}
		return nil
	})
}

// DamagedDay tells what reading a packed day says of bytes that are not one.
func DamagedDay(body []byte) error {
	var d Day
	r := dayDecoder{from: body}
	d.columns(&r)
	if !r.failed && len(r.from) == r.at {
		var e dayEncoder
		d.columns(&e)
		return nil
	}
	return errors.New("damaged")
}

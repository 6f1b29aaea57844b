package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"
)

// The volumes of a project are a memo of the pipelines of its packed days, 32 of
// them together (docs/decisions/0017-volumes.md). Writers know nothing of them:
// what they write makes a day stale, and a stale day of a volume does not count.
// When a day is packed again, the same transaction takes it out of its volume.
// Packing a volume: a number is put down at it; then it is made of the rows; then
// it is put down where the number still stands, which it does not if one of the
// days has been packed meanwhile.

// takeFromVolumes takes days that are packed out of their volumes.
func (s *Store) takeFromVolumes(ctx context.Context, tx *sql.Tx, days [][]any) error {
	of := map[volumeKey]uint32{}
	for _, d := range days {
		project, day := d[0].(int64), d[1].(int64) //nolint:forcetypeassert // a row of packDays
		of[volumeKey{project, day / volumeDays}] |= 1 << (day % volumeDays)
	}
	rows := make([][]any, 0, len(of))
	for key, bits := range of {
		rows = append(rows, []any{key.project, key.volume, int64(bits), int64(0), []byte(nil)})
	}
	for _, st := range []statement{insertVolumes, takeVolumes} {
		if err := s.exec(ctx, tx, st, rows); err != nil {
			return fmt.Errorf("take days out of volumes: %w", err)
		}
	}
	return nil
}

// PackVolumes packs the volumes of which days were packed since, with a pause
// between them.
func (s *Store) PackVolumes(ctx context.Context, pause time.Duration) error {
	for last := (volumeKey{-1, -1}); ; {
		lot, err := s.volumesToPack(ctx, last)
		if err != nil || len(lot) == 0 {
			return err
		}
		for _, key := range lot {
			if err := s.packVolume(ctx, key); err != nil {
				return fmt.Errorf("pack a volume of project %d: %w", key.project, err)
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		last = lot[len(lot)-1]
	}
}

func (s *Store) volumesToPack(ctx context.Context, last volumeKey) (lot []volumeKey, err error) {
	err = s.read(ctx, `SELECT project_id, volume FROM volumes WHERE is_due AND (project_id > $1 OR project_id = $1 AND volume > $2)
		ORDER BY project_id, volume LIMIT $3`, func(rows *sql.Rows) error {
		var key volumeKey
		err := rows.Scan(&key.project, &key.volume)
		lot = append(lot, key)
		return err
	}, last.project, last.volume, buildProjects)
	return lot, err
}

func (s *Store) packVolume(ctx context.Context, key volumeKey) error {
	ctx, cancel := context.WithTimeout(ctx, packTimeout)
	defer cancel()
	number := rand.Int64() //nolint:gosec // it only has to be another than others'
	if _, err := s.writePacked(ctx, packingVolumes, [][]any{{key.project, key.volume, int64(0), number, []byte(nil)}}, false, nil); err != nil {
		return err
	}
	var (
		body []byte
		days uint32
	)
	first, over := key.volume*volumeDays, s.config.Now().Add(-packAfter).UnixMilli()/dayMS
	err := s.readWithin(ctx, packTimeout, func(ctx context.Context, read *Reading) error {
		projects := []int64{key.project}
		stale, err := read.staleDays(ctx, projects, first, first+volumeDays-1)
		if err != nil {
			return err
		}
		days = daysIn(key.volume, first, over-1) &^ stale[key]
		built, err := read.buildVolumes(ctx, projects, first*dayMS, min(first+volumeDays, over)*dayMS, allColumns)
		v := &Volume{}
		if len(built) > 0 {
			v = built[0]
		}
		body = v.pack()
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.writePacked(ctx, packVolumes, [][]any{{key.project, key.volume, int64(days), number, body}}, false, nil)
	return err
}

var (
	volumesTable   = newTable("volumes", 2, columns(bigint, "project_id volume days packing"), columns(bytea, "body"))
	insertVolumes  = statement{volumesTable, "INSERT INTO volumes (project_id, volume) SELECT project_id, volume FROM %s WHERE true ON CONFLICT (project_id, volume) DO NOTHING"}
	takeVolumes    = statement{volumesTable, `UPDATE volumes SET days = volumes.days & ~staged.days, is_due = true, packing = NULL FROM %s WHERE ` + sameVolume}
	packingVolumes = statement{volumesTable, "UPDATE volumes SET packing = staged.packing FROM %s WHERE " + sameVolume + " RETURNING volumes.volume"}
	packVolumes    = statement{volumesTable, `UPDATE volumes SET days = staged.days, body = staged.body, is_due = false, packing = NULL FROM %s
		WHERE ` + sameVolume + ` AND volumes.packing = staged.packing RETURNING volumes.volume`}
)

const sameVolume = "volumes.project_id = staged.project_id AND volumes.volume = staged.volume"

package store

import (
	"context"
	"database/sql"
	"runtime"
)

// A dayReader unpacks days beside each other while their bodies come from the
// database, and hands them over in the order in which they came. It has a few
// days in memory at once, however many come.
type dayReader struct {
	by     packer
	want   Parts
	shared *sharedDays
	each   func(*Day) error

	ring   []*unpackedDay
	first  int // of those in the ring that have not been handed over
	under  int // how many these are
	work   chan *unpackedDay
	broken []dayKey // what could not be read
}

// An unpackedDay is a day, and the memory for one.
type unpackedDay struct {
	day *Day // own, or one that is shared
	own Day

	key                 dayKey
	body, steps, memory []byte
	err                 error
	done                chan struct{}
}

// maxUnpackers is how many processors one question takes to unpack.
const maxUnpackers = 4

// readPacked hands each the days that text selects, by project, day, body and
// steps, where isWanted says so of them. It returns those that are not packed,
// or can't be read.
func (r *Reading) readPacked(ctx context.Context, text string, args []any, want Parts, isWanted func(key dayKey, bytes int) bool, each func(*Day) error) (others []dayKey, err error) {
	unpackers := min(maxUnpackers, runtime.GOMAXPROCS(0))
	d := &dayReader{by: r.days, want: want, shared: sharedOf(ctx), each: each, ring: make([]*unpackedDay, 2*unpackers)}
	d.work = make(chan *unpackedDay, len(d.ring))
	ended := make(chan struct{}, unpackers)
	for range unpackers {
		go func() {
			d.unpackAll(ctx)
			ended <- struct{}{}
		}()
	}
	defer func() {
		close(d.work)
		for range unpackers {
			<-ended
		}
	}()
	err = r.Rows(ctx, text, args, func(scan Scan) error {
		var key dayKey
		var body, steps sql.RawBytes
		err := scan(&key.project, &key.day, &body, &steps)
		switch {
		case err != nil || !isWanted(key, len(body)):
			return err
		case body == nil:
			others = append(others, key)
			return nil
		}
		return d.add(key, body, steps)
	})
	for err == nil && d.under > 0 {
		err = d.handOver()
	}
	return append(others, d.broken...), err
}

// add takes a body to be unpacked.
func (d *dayReader) add(key dayKey, body, steps []byte) error {
	if d.under == len(d.ring) {
		if err := d.handOver(); err != nil {
			return err
		}
	}
	at := (d.first + d.under) % len(d.ring)
	if d.ring[at] == nil {
		d.ring[at] = &unpackedDay{done: make(chan struct{}, 1)}
	}
	u := d.ring[at]
	u.key, u.body, u.steps = key, append(u.body[:0], body...), append(u.steps[:0], steps...)
	d.under++
	d.work <- u
	return nil
}

// handOver waits for the first day and hands it over.
func (d *dayReader) handOver() error {
	u := d.ring[d.first]
	d.first, d.under = (d.first+1)%len(d.ring), d.under-1
	<-u.done
	if u.err != nil {
		d.broken = append(d.broken, u.key)
		return nil //nolint:nilerr // a memo that can't be read is none; the rows are there
	}
	return d.each(u.day)
}

func (d *dayReader) unpackAll(ctx context.Context) {
	for u := range d.work {
		u.err = nil
		u.day = d.shared.get(ctx, sharedKey{dayKey: u.key, want: d.want}, func(to *Day) error { return d.unpack(u, to) })
		if u.day == nil {
			u.day, u.err = &u.own, d.unpack(u, &u.own)
		}
		u.done <- struct{}{}
	}
}

func (d *dayReader) unpack(u *unpackedDay, to *Day) (err error) {
	u.memory, err = to.unpack(d.by, u.key.project, u.key.day, u.body, u.memory)
	if err == nil && d.want&Steps != 0 {
		u.memory, err = to.unpackSteps(d.by, u.steps, u.memory)
	}
	return err
}

package store

import (
	"encoding/binary"
	"errors"
)

// The form of a packed day: a byte that says which, and behind it, compressed
// by zstd, the columns one after the other. A number is written as what it is
// more than the one that it is near, as a varint, small ones of either sign in
// one byte; a text as its place among the texts of its column. The columns of
// the steps are a body by themselves, in the same form.

// packedForm is the form that is written and read. A body of another form is
// as good as none: the rows are read instead, until the packer has found it after
// the next start and packed the day anew.
const packedForm = 4

var errDamagedDay = errors.New("a packed day is damaged, or in another form")

// pack writes the day, and its steps.
func (d *Day) pack(by packer) (body, steps []byte, err error) {
	if body, err = packColumns(by, d.columns); err == nil {
		steps, err = packColumns(by, d.stepColumns)
	}
	return body, steps, err
}

func packColumns(by packer, columns func(codec)) ([]byte, error) {
	var e dayEncoder
	columns(&e)
	body, err := by.pack(e.to)
	return append([]byte{packedForm}, body...), err
}

// unpack reads a day that was packed into d, whose memory it takes.
func (d *Day) unpack(by packer, project, day int64, body, memory []byte) (unpacked []byte, err error) {
	d.Project, d.Day = project, day
	memory, err = unpackColumns(by, body, memory, d.columns)
	if err == nil && d.Pipelines.First[len(d.Pipelines.First)-1] != len(d.Attempts.Started) {
		err = errDamagedDay
	}
	return memory, err
}

// unpackSteps reads the steps of a day that is there.
func (d *Day) unpackSteps(by packer, steps, memory []byte) (unpacked []byte, err error) {
	memory, err = unpackColumns(by, steps, memory, d.stepColumns)
	if s := &d.Steps; err == nil && (len(s.First) != len(d.Attempts.Started)+1 || s.First[len(s.First)-1] != len(s.MS)) {
		err = errDamagedDay
	}
	return memory, err
}

func unpackColumns(by packer, packed, memory []byte, columns func(codec)) (unpacked []byte, err error) {
	if len(packed) == 0 || packed[0] != packedForm {
		return memory, errDamagedDay
	}
	body, err := by.unpackInto(packed[1:], memory)
	if err != nil {
		return memory, err
	}
	r := dayDecoder{from: body}
	columns(&r)
	if r.failed || len(r.from) != r.at {
		return body, errDamagedDay
	}
	return body, nil
}

type dayEncoder struct{ to []byte }

func (e *dayEncoder) rows(n int) int {
	e.to = binary.AppendUvarint(e.to, uint64(n))
	return n
}

func (e *dayEncoder) ascending(column *[]int64) {
	last := int64(0)
	for _, v := range *column {
		e.to = binary.AppendVarint(e.to, v-last)
		last = v
	}
}

func (e *dayEncoder) numbers(column *[]int64, base []int64) {
	for i, v := range *column {
		if v == None {
			e.to = append(e.to, 0)
			continue
		}
		if base != nil && base[i] != None {
			v -= base[i]
		}
		e.to = binary.AppendUvarint(e.to, uint64(v<<1^v>>63)+1)
	}
}

func (e *dayEncoder) flags(column *[]bool) {
	for _, v := range *column {
		b := byte(0)
		if v {
			b = 1
		}
		e.to = append(e.to, b)
	}
}

func (e *dayEncoder) texts(column *Texts) {
	e.rows(len(column.Values))
	for _, v := range column.Values {
		e.rows(len(v))
	}
	for _, v := range column.Values {
		e.to = append(e.to, v...)
	}
	for _, c := range column.Codes {
		e.to = binary.AppendUvarint(e.to, uint64(c))
	}
}

// A dayDecoder reads what a dayEncoder wrote. What can't be right makes it
// fail and all that follows zero.
type dayDecoder struct {
	from   []byte
	at     int
	n      int // rows of the column
	failed bool
}

// next is a varint.
func (r *dayDecoder) next() uint64 {
	if r.at < len(r.from) {
		if b := r.from[r.at]; b < 0x80 {
			r.at++
			return uint64(b)
		}
	}
	v, size := binary.Uvarint(r.from[r.at:])
	if size <= 0 {
		r.failed, r.at = true, len(r.from)
		return 0
	}
	r.at += size
	return v
}

// count is a number of things of which each takes a byte at the least.
func (r *dayDecoder) count() int {
	n := r.next()
	if n > uint64(len(r.from)-r.at) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *dayDecoder) rows(int) int {
	r.n = r.count()
	return r.n
}

func (r *dayDecoder) ascending(column *[]int64) {
	c, last := sized(*column, r.n), int64(0)
	for i := range c {
		v := r.next()
		last += int64(v>>1) ^ -int64(v&1)
		c[i] = last
	}
	*column = c
}

func (r *dayDecoder) numbers(column *[]int64, base []int64) {
	c := sized(*column, r.n)
	for i := range c {
		// Most take up to three bytes: to call next for each takes twice as long.
		var u uint64
		switch rest := r.from[r.at:]; {
		case len(rest) > 0 && rest[0] < 0x80:
			u, r.at = uint64(rest[0]), r.at+1
		case len(rest) > 1 && rest[1] < 0x80:
			u, r.at = uint64(rest[0]&0x7f)|uint64(rest[1])<<7, r.at+2
		case len(rest) > 2 && rest[2] < 0x80:
			u, r.at = uint64(rest[0]&0x7f)|uint64(rest[1]&0x7f)<<7|uint64(rest[2])<<14, r.at+3
		default:
			u = r.next()
		}
		if u == 0 {
			c[i] = None
			continue
		}
		u--
		v := int64(u>>1) ^ -int64(u&1)
		if base != nil && i < len(base) && base[i] != None {
			v += base[i]
		}
		c[i] = v
	}
	*column = c
}

func (r *dayDecoder) flags(column *[]bool) {
	c := sized(*column, r.n)
	if len(r.from)-r.at < r.n {
		r.failed, r.at = true, len(r.from)
	}
	for i, b := range r.from[r.at:min(len(r.from), r.at+r.n)] {
		c[i] = b == 1
	}
	r.at = min(len(r.from), r.at+r.n)
	*column = c
}

func (r *dayDecoder) texts(column *Texts) {
	values := sized(column.Values, r.count())
	lengths := make([]int, len(values))
	sum := 0
	for i := range lengths {
		lengths[i] = r.count()
		sum += lengths[i]
	}
	if sum > len(r.from)-r.at {
		r.failed, lengths, sum = true, make([]int, len(values)), 0
	}
	all := string(r.from[r.at : r.at+sum])
	r.at += sum
	for i, n := range lengths {
		values[i], all = all[:n], all[n:]
	}
	codes := sized(column.Codes, r.n)
	if len(values) <= 0x80 && len(r.from)-r.at >= r.n { // a byte each
		for i, b := range r.from[r.at : r.at+r.n] {
			if int(b) >= len(values) {
				r.failed, b = true, 0
			}
			codes[i] = uint32(b)
		}
		r.at += r.n
		column.Values, column.Codes = values, codes
		return
	}
	for i := range codes {
		v := r.next()
		if v >= uint64(len(values)) {
			r.failed, v = true, 0
		}
		codes[i] = uint32(v)
	}
	column.Values, column.Codes = values, codes
}

// sized is a slice of n, in the memory of another where that is large enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// A Volume is pipelines of one project by columns, in order of their creation
// and then their number: what questions about pipelines need of them. Times are
// Unix milliseconds and durations milliseconds, or None.
type Volume struct {
	Project int64
	Created []int64

	flags   []byte
	numbers [numberColumns][]int64
	texts   [textColumns]Texts
	phases  []volumePhase

	packed packedVolume
}

// Flags are what is true of a pipeline.
type Flags uint8

// The flags.
const (
	CreatedKnown Flags = 1 << iota
	OnDefault
	Restarted
)

// A volumePhase is one phase in the pipelines of a volume.
type volumePhase struct {
	name    string
	numbers [phaseColumns][]int64
}

// Columns are some of a volume's columns. Created and the flags are always
// there.
type Columns uint32

// The columns of numbers, of texts, and those that each phase has.
const (
	PipelineID Columns = 1 << iota
	WallMS
	ActiveMS
	ExecutionMS
	RetryMS
	QueueMS
	BlockedMS
	GapMS
	StateText
	ResultText
	WorkflowText
	RefText
	RefKindText
	TriggerText
	PhasesMS

	numberColumns = 8
	textColumns   = 6
	phaseColumns  = 3
	allColumns    = PhasesMS<<1 - 1
)

// What a phase took.
const (
	TimeTo = iota // from the creation of the pipeline to the phase's first start
	Span
	Work
)

// volumeSQL is where the columns come from, in their order.
var volumeSQL = [numberColumns + textColumns]string{
	"p.id", "p.wall_ms", "p.active_ms", "p.execution_ms", "p.retry_ms", "p.queue_ms", "p.blocked_ms", "p.gap_ms",
	"p.state", "p.result", "p.workflow", "p.ref", "p.ref_kind", "p.trigger",
}

// Flags are those of a row.
func (v *Volume) Flags(row int) Flags { return Flags(v.flags[row]) }

// Numbers is a column of numbers that was asked for.
func (v *Volume) Numbers(c Columns) []int64 {
	for i := range v.numbers {
		if c == 1<<i {
			v.packed.read(firstNumbers+i, func(r *widthReader) { r.numbers(&v.numbers[i], len(v.Created)) })
			return v.numbers[i]
		}
	}
	return nil
}

// Texts is a column of texts that was asked for.
func (v *Volume) Texts(c Columns) *Texts {
	for i := range v.texts {
		if c == 1<<(numberColumns+i) {
			v.packed.read(firstTexts+i, func(r *widthReader) { r.texts(&v.texts[i], len(v.Created)) })
			return &v.texts[i]
		}
	}
	return &Texts{}
}

// Phases are the names of those that some pipelines have, in order, if phases
// were asked for.
func (v *Volume) Phases() []string {
	names := make([]string, len(v.phases))
	for i := range v.phases {
		names[i] = v.phases[i].name
	}
	return names
}

// Phase is TimeTo, Span or Work of a phase, or nil if no pipeline has it.
func (v *Volume) Phase(name string, column int) []int64 {
	for i := range v.phases {
		if p := &v.phases[i]; p.name == name {
			v.packed.read(firstPhases+i*phaseColumns+column, func(r *widthReader) { r.numbers(&p.numbers[column], len(v.Created)) })
			return p.numbers[column]
		}
	}
	return nil
}

// The form of a packed volume: a byte that says which, the checksum of the rest,
// the number of pipelines and of sections, the lengths of these, and the
// sections: what each column has, each number in as many bytes as the greatest
// of its column needs. So a column that nobody asks for costs nothing, and one
// that somebody does about a nanosecond a row.

// volumeForm is the form that is written and read. A body of another form is as
// good as none: the rows are read instead.
const volumeForm = 1

// The sections.
const (
	createdSection = iota
	flagsSection
	namesSection // of the phases
	firstNumbers
	firstTexts  = firstNumbers + numberColumns
	firstPhases = firstTexts + textColumns
)

// pack writes the volume, which has all columns.
func (v *Volume) pack() []byte {
	sections := make([][]byte, firstPhases, firstPhases+len(v.phases)*phaseColumns)
	sections[createdSection] = appendNumbers(nil, v.Created)
	sections[flagsSection] = v.flags
	names := Texts{}
	for _, p := range v.phases {
		names.Values = append(names.Values, p.name)
		for _, c := range p.numbers {
			sections = append(sections, appendNumbers(nil, c))
		}
	}
	sections[namesSection] = appendTexts(nil, &names)
	for i, c := range v.numbers {
		sections[firstNumbers+i] = appendNumbers(nil, c)
	}
	for i := range v.texts {
		sections[firstTexts+i] = appendTexts(nil, &v.texts[i])
	}
	rest := binary.AppendUvarint(nil, uint64(len(v.Created)))
	rest = binary.AppendUvarint(rest, uint64(len(sections)))
	for _, s := range sections {
		rest = binary.AppendUvarint(rest, uint64(len(s)))
	}
	for _, s := range sections {
		rest = append(rest, s...)
	}
	body := binary.LittleEndian.AppendUint32([]byte{volumeForm}, checksum(rest))
	return append(body, rest...)
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// appendNumbers writes how many bytes a number has, the least of them, and how
// much more each is, with 0 for None.
func appendNumbers(to []byte, column []int64) []byte {
	least, most := int64(0), int64(0)
	for i, n := range slices.DeleteFunc(slices.Clone(column), func(n int64) bool { return n == None }) {
		if i == 0 {
			least, most = n, n
		}
		least, most = min(least, n), max(most, n)
	}
	width := widthOf(uint64(most-least) + 1)
	to = binary.AppendVarint(append(to, byte(width)), least)
	for _, n := range column {
		more := uint64(0)
		if n != None {
			more = uint64(n-least) + 1
		}
		to = binary.LittleEndian.AppendUint64(to, more)
		to = to[:len(to)-8+width]
	}
	return to
}

// appendTexts writes the texts and the places.
func appendTexts(to []byte, t *Texts) []byte {
	to = binary.AppendUvarint(to, uint64(len(t.Values)))
	for _, v := range t.Values {
		to = append(binary.AppendUvarint(to, uint64(len(v))), v...)
	}
	codes := make([]int64, len(t.Codes))
	for i, c := range t.Codes {
		codes[i] = int64(c)
	}
	return appendNumbers(to, codes)
}

// widthOf is how many bytes numbers up to n take: 1, 2, 3, 4 or 8.
func widthOf(n uint64) int {
	for _, width := range []int{1, 2, 3, 4} {
		if n>>(8*width) == 0 {
			return width
		}
	}
	return 8
}

// A packedVolume is the sections of a body that are not read yet.
type packedVolume struct {
	sections [][]byte
}

// read reads a section into its column, once.
func (p *packedVolume) read(section int, into func(*widthReader)) {
	if section < len(p.sections) && p.sections[section] != nil {
		into(&widthReader{p.sections[section]})
		p.sections[section] = nil
	}
}

var errNoVolume = errors.New("this is no packed volume")

// unpack makes v the packed volume, whose columns are read when they are asked
// for. It keeps body.
func (v *Volume) unpack(project int64, body []byte) error {
	const head = 1 + 4
	if len(body) < head || body[0] != volumeForm || binary.LittleEndian.Uint32(body[1:]) != checksum(body[head:]) {
		return fmt.Errorf("project %d: %w", project, errNoVolume)
	}
	r := widthReader{body[head:]}
	n, sections := int(r.uvarint()), int(r.uvarint())
	lengths := make([]int, sections)
	for i := range lengths {
		lengths[i] = int(r.uvarint())
	}
	v.Project = project
	v.packed.sections = v.packed.sections[:0]
	for _, length := range lengths {
		v.packed.sections = append(v.packed.sections, r.from[:length:length])
		r.from = r.from[length:]
	}
	v.packed.read(createdSection, func(r *widthReader) { r.numbers(&v.Created, n) })
	v.flags = v.packed.sections[flagsSection]
	var names Texts
	v.packed.read(namesSection, func(r *widthReader) { r.texts(&names, 0) })
	v.phases = sized(v.phases, len(names.Values))
	for i, name := range names.Values {
		v.phases[i].name = name
	}
	return nil
}

// A widthReader reads a section. That it is as it was written, the checksum has
// said.
type widthReader struct{ from []byte }

func (r *widthReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.from)
	r.from = r.from[size:]
	return n
}

func (r *widthReader) numbers(column *[]int64, n int) {
	c := sized(*column, n)
	*column = c
	least := r.eachMore(n, func(i int, more uint64) { c[i] = int64(more) })
	least-- // a difference is counted from 1
	for i, more := range c {
		if c[i] = least + more; more == 0 {
			c[i] = None
		}
	}
}

func (r *widthReader) texts(column *Texts, n int) {
	column.Values = sized(column.Values, int(r.uvarint()))
	for i := range column.Values {
		length := r.uvarint()
		column.Values[i] = string(r.from[:length])
		r.from = r.from[length:]
	}
	c := sized(column.Codes, n)
	column.Codes = c
	least := r.eachMore(n, func(i int, more uint64) { c[i] = uint32(more) })
	for i := range c {
		c[i] += uint32(least) - 1
	}
}

// eachMore hands take each number as it is written, and returns the least.
func (r *widthReader) eachMore(n int, take func(i int, more uint64)) int64 {
	width := int(r.from[0])
	least, size := binary.Varint(r.from[1:])
	from := r.from[1+size:]
	switch width {
	case 1:
		for i, b := range from[:n] {
			take(i, uint64(b))
		}
	case 2:
		for i := range n {
			take(i, uint64(binary.LittleEndian.Uint16(from[2*i:])))
		}
	case 3:
		for i := range n {
			b := from[3*i : 3*i+3]
			take(i, uint64(b[0])|uint64(b[1])<<8|uint64(b[2])<<16)
		}
	case 4:
		for i := range n {
			take(i, uint64(binary.LittleEndian.Uint32(from[4*i:])))
		}
	default:
		for i := range n {
			take(i, binary.LittleEndian.Uint64(from[8*i:]))
		}
	}
	return least
}

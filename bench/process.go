package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times under /proc: Linux shows 100 a second to
// programs on every architecture we know.
const tick = 10 * time.Millisecond

// A process is one line of /proc/PID/stat, as far as it concerns us.
type process struct {
	pid, parent int
	own         time.Duration // CPU of all its threads, ended ones too
	reaped      time.Duration // CPU of its children that have ended
}

func readProcess(pid int) (process, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	// The second field is the name in parentheses and may hold anything.
	end := bytes.LastIndexByte(raw, ')')
	fields := strings.Fields(string(raw[end+1:]))
	if end < 0 || len(fields) < 15 {
		return process{}, fmt.Errorf("/proc/%d/stat: %q", pid, raw)
	}
	var n [15]int64
	for i := 1; i < len(n); i++ {
		if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return process{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return process{
		pid: pid, parent: int(n[1]),
		own:    time.Duration(n[11]+n[12]) * tick,
		reaped: time.Duration(n[13]+n[14]) * tick,
	}, nil
}

// family is a process and its living children.
func family(parent int) []process {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var all []process
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		p, err := readProcess(pid) // an error: it has ended meanwhile
		if err == nil && (p.pid == parent || p.parent == parent) {
			all = append(all, p)
		}
	}
	return all
}

// cpuOf is the CPU that these processes have used.
func cpuOf(pids ...int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		p, _ := readProcess(pid)
		sum += p.own
	}
	return sum
}

// familyCPU is the CPU of a process and of all its children, ended or not.
func familyCPU(parent int) time.Duration {
	var sum time.Duration
	for _, p := range family(parent) {
		sum += p.own
		if p.pid == parent {
			sum += p.reaped
		}
	}
	return sum
}

// busyCPU is the CPU that all of the machine has used, by whomever.
func busyCPU() time.Duration {
	raw, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0
	}
	var ticks int64
	for i, f := range fields[1:9] {
		if i == 3 || i == 4 { // idle, waiting for the disk
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// memory reads one figure in bytes, such as VmRSS or VmHWM of status, or Pss
// of smaps_rollup; 0 when it can't be read.
func memory(pid int, file, name string) int64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kB, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kB << 10
		}
	}
	return 0
}

// familyMemory sums the proportional shares, so that memory shared by a
// database's processes counts once.
func familyMemory(parent int) int64 {
	var sum int64
	for _, p := range family(parent) {
		sum += memory(p.pid, "smaps_rollup", "Pss")
	}
	return sum
}

// A meter reads what a measurement used, from start to stop.
type meter struct {
	servers  []int // process ids
	database int   // process id of the database's first process; 0: none of its own
	before   usage
}

// A usage is CPU time by who used it, and memory.
type usage struct {
	Elapsed   time.Duration
	Server    time.Duration
	Database  time.Duration
	Generator time.Duration // this process
	Machine   time.Duration // everybody
	Peak      int64         // greatest resident memory of one server, bytes
	DBMemory  int64         // of the database's processes at the end, bytes
}

// others is how many cores strangers kept busy.
func (u usage) others() float64 {
	if u.Elapsed <= 0 {
		return 0
	}
	return max(0, (u.Machine-u.Server-u.Database-u.Generator).Seconds()/u.Elapsed.Seconds())
}

func startMeter(database int, servers ...int) *meter {
	m := &meter{servers: servers, database: database}
	for _, pid := range servers {
		// Begins a new peak. Without the right to, the peak is the one since
		// the server's start.
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
	m.before = m.read()
	return m
}

func (m *meter) read() usage {
	u := usage{
		Server: cpuOf(m.servers...), Generator: cpuOf(os.Getpid()), Machine: busyCPU(),
		Elapsed: time.Duration(time.Now().UnixNano()),
	}
	if m.database != 0 {
		u.Database = familyCPU(m.database)
	}
	return u
}

func (m *meter) stop() usage {
	now := m.read()
	u := usage{
		Elapsed: now.Elapsed - m.before.Elapsed, Server: now.Server - m.before.Server,
		Database: now.Database - m.before.Database, Generator: now.Generator - m.before.Generator,
		Machine: now.Machine - m.before.Machine,
	}
	for _, pid := range m.servers {
		u.Peak = max(u.Peak, memory(pid, "status", "VmHWM"))
	}
	if m.database != 0 {
		u.DBMemory = familyMemory(m.database)
	}
	return u
}

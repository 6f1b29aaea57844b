package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/schollz/progressbar/v3"
)

// logEvery is how often a line of the log tells how far it is, where nobody
// looks at a terminal.
const logEvery = 30 * time.Second

// A collectProgress tells people how far something is: a bar on a terminal, else
// lines of the log now and then.
type collectProgress struct {
	bar         *progressbar.ProgressBar // nil: no terminal
	terminal    io.Writer
	log         *slog.Logger
	total       int64 // -1: not known
	done        int64
	missed      int64
	began, told time.Time
}

func (e *env) collectProgress(log *slog.Logger, total int64) *collectProgress {
	now := time.Now()
	p := &collectProgress{terminal: e.stderr, log: log, total: total, began: now, told: now}
	if isTerminal(e.stderr) {
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(e.stderr), progressbar.OptionSetDescription("pipelines"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// add counts one more. An item without a number is none of a pipeline.
func (p *collectProgress) add(ctx context.Context, id int64, err error) {
	if err != nil {
		p.missed++
		p.log.WarnContext(ctx, "not read", "pipeline", id, "error", err)
	}
	if id == 0 {
		return
	}
	p.done++
	if p.bar != nil {
		if p.total >= 0 && p.done > p.total { // some were added meanwhile
			p.total = p.done
			p.bar.ChangeMax64(p.total)
		}
		_ = p.bar.Add64(1) // what a terminal does not show is no failure
		return
	}
	if now := time.Now(); now.Sub(p.told) >= logEvery {
		p.told = now
		p.log.InfoContext(ctx, "collecting", "pipelines", p.done, "of", p.total, "left_s", p.left(now))
	}
}

// left is how many seconds the rest may take; -1: not known.
func (p *collectProgress) left(now time.Time) int64 {
	if p.total < 0 || p.done == 0 {
		return -1
	}
	each := now.Sub(p.began).Seconds() / float64(p.done)
	return int64(each * float64(max(0, p.total-p.done)))
}

func (p *collectProgress) end() {
	if p.bar != nil {
		fmt.Fprintln(p.terminal) // what follows has a line of its own
	}
}

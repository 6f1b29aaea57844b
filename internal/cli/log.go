package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"
)

// logging is the flags of every command that writes a log.
type logging struct{ level, format string }

func (l *logging) flags(fs *pflag.FlagSet) {
	fs.StringVar(&l.level, "log-level", "info", "the least `level` to log: debug, info, warn or error")
	fs.StringVar(&l.format, "log-format", "auto", "`json`, text, or auto: text where the log goes to a terminal")
}

// logger writes to w. Text is for people, who are told more around it.
func (l *logging) logger(w io.Writer) (log *slog.Logger, isText bool, err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, false, &usageError{fmt.Errorf("--log-level must be debug, info, warn or error, not %q", l.level)}
	}
	options := &slog.HandlerOptions{Level: level}
	format := l.format
	if format == "auto" && isTerminal(w) {
		format = "text"
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), true, nil
	case "json", "auto":
		return slog.New(slog.NewJSONHandler(w, options)), false, nil
	}
	return nil, false, &usageError{fmt.Errorf("--log-format must be json, text or auto, not %q", l.format)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

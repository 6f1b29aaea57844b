package cli

import (
	"errors"
	"strconv"
	"strings"
)

// A size is a number of bytes, as a flag: 8MiB, 512KiB or 1000.
type size int64

var units = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"", 1}}

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 || n > (1<<40)/u.bytes {
			break
		}
		*s = size(n * u.bytes)
		return nil
	}
	return errors.New("must be a number of bytes, such as 8MiB, up to 1024GiB")
}

// String implements pflag.Value.
func (s *size) String() string {
	for _, u := range []int{2, 1, 0} {
		if b := units[u].bytes; int64(*s) >= b && int64(*s)%b == 0 {
			return strconv.FormatInt(int64(*s)/b, 10) + units[u].name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type implements pflag.Value.
func (s *size) Type() string { return "size" }

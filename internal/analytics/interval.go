package analytics

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	normal95  = 1.959963984540054 // of the normal distribution, 95 % are that many deviations around the mean
	resamples = 2000
)

// An Interval is the two ends between which the true rate lies in 95 of 100
// cases.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// A SecondsInterval is the same of a difference in seconds.
type SecondsInterval struct {
	LowS  float64 `json:"low_s"`
	HighS float64 `json:"high_s"`
}

// wilson is the interval of a rate of which hits of n were seen. Of nothing
// seen it is 0 to 1.
func wilson(hits, n int64) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	const z2 = normal95 * normal95
	rate, count := float64(hits)/float64(n), float64(n)
	middle := (rate + z2/(2*count)) / (1 + z2/count)
	half := normal95 / (1 + z2/count) * math.Sqrt(rate*(1-rate)/count+z2/(4*count*count))
	i := Interval{max(0, middle-half), min(1, middle+half)}
	if hits == 0 {
		i.Low = 0 // not 1e-17
	}
	if hits == n {
		i.High = 1
	}
	return i
}

// percentileDifference is the interval of how much a percentile of b is above
// that of a: the middle 95 of 100 in 2,000 resamples of both (bootstrap). Both
// must be in order. The same values give the same interval.
func percentileDifference(a, b []float64, p float64) SecondsInterval {
	return bootstrap(func(r *rand.Rand) float64 { return resampled(r, b, p) - resampled(r, a, p) }, len(a), len(b))
}

// meanDifference is the interval of how much the mean of b is above that of a:
// the normal distribution with Welch's error.
func meanDifference(a, b []float64) SecondsInterval {
	if len(a) < 2 || len(b) < 2 {
		return SecondsInterval{math.Inf(-1), math.Inf(1)}
	}
	meanA, errA := meanError(a)
	meanB, errB := meanError(b)
	half := normal95 * math.Sqrt(errA+errB)
	return SecondsInterval{meanB - meanA - half, meanB - meanA + half}
}

// meanError is the mean of values and the square of its standard error.
func meanError(values []float64) (mean, squared float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squared += (v - mean) * (v - mean)
	}
	return mean, squared / (n - 1) / n
}

func bootstrap(draw func(r *rand.Rand) float64, seed ...int) SecondsInterval {
	if slices.Min(seed) == 0 {
		return SecondsInterval{math.Inf(-1), math.Inf(1)}
	}
	random := rand.New(rand.NewPCG(uint64(seed[0]), uint64(seed[1]))) //nolint:gosec // the same question gets the same answer
	drawn := make([]float64, resamples)
	for i := range drawn {
		drawn[i] = draw(random)
	}
	slices.Sort(drawn)
	return SecondsInterval{percentile(drawn, 0.025), percentile(drawn, 0.975)}
}

// resampled is the percentile of as many values drawn from the ordered ones,
// with repetition. Nothing is drawn but the two that the percentile lies
// between: the k-th smallest of n uniform numbers has a beta distribution, and
// the one after it is the smallest of the n-k that are left.
func resampled(r *rand.Rand, ordered []float64, p float64) float64 {
	n := len(ordered)
	at := p * float64(n-1)
	k := int(at) + 1 // counted from 1
	u := beta(r, float64(k), float64(n-k+1))
	low := ordered[min(n-1, int(u*float64(n)))]
	if k == n {
		return low
	}
	next := u + (1-u)*(1-math.Pow(1-r.Float64(), 1/float64(n-k)))
	high := ordered[min(n-1, int(next*float64(n)))]
	return low + (high-low)*(at-float64(k-1))
}

// beta draws from the beta distribution; both a and b are at least 1.
func beta(r *rand.Rand, a, b float64) float64 {
	x, y := gamma(r, a), gamma(r, b)
	return x / (x + y)
}

// gamma draws from the gamma distribution of a shape of at least 1 (Marsaglia
// and Tsang, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

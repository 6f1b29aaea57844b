package cli

import (
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	oneDay      = 24 * time.Hour
	maxDays     = 36_500         // of any retention
	knownDays   = 90             // that a delivery is known to have come, at the least
	answersKept = 24 * time.Hour // to requests with an Idempotency-Key
)

// retention is how long things are kept.
func retention(deliveryDays int) store.Retention {
	keep := store.Retention{Answers: answersKept}
	if deliveryDays > 0 {
		keep.DeliveryBodies = time.Duration(deliveryDays) * oneDay
		keep.Deliveries = max(keep.DeliveryBodies, knownDays*oneDay)
	}
	return keep
}

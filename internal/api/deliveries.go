package api

import (
	"net/http"
	"strconv"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// deliveryView is a delivery in JSON.
type deliveryView struct {
	ID         int64   `json:"id"`
	Provider   string  `json:"provider"`
	DeliveryID string  `json:"delivery_id"`
	Event      *string `json:"event"`
	ReceivedAt *string `json:"received_at"`
	State      string  `json:"state"`
	Reason     *string `json:"reason"`
	Tries      int64   `json:"tries"`
	HasBody    bool    `json:"has_body"`
}

func deliveryViewOf(d *store.StoredDelivery) deliveryView {
	return deliveryView{
		ID: d.ID, Provider: d.Provider, DeliveryID: d.Key, Event: said(d.Event), ReceivedAt: moment(d.ReceivedAt),
		State: string(d.State), Reason: said(d.Reason), Tries: d.Tries, HasBody: d.HasBody,
	}
}

// getDeliveries lists what came to the inbox, the newest first.
func (a *API) getDeliveries(w http.ResponseWriter, r *http.Request) error {
	limit, cursor, err := pageOf(r.URL.Query())
	if err != nil {
		return err
	}
	filter, err := deliveryFilter(r)
	if err != nil {
		return err
	}
	var after int64
	if cursor != "" {
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return badParameter("cursor", "It is none that this list gave.")
		}
	}
	all, err := a.store.Deliveries(r.Context(), filter, after, limit+1)
	if err != nil {
		return err
	}
	p := page[deliveryView]{Items: []deliveryView{}}
	for i := range all {
		if i == limit {
			p.Next = next(w, r, strconv.FormatInt(all[i-1].ID, 10))
			break
		}
		p.Items = append(p.Items, deliveryViewOf(&all[i]))
	}
	return answerJSON(w, r, p)
}

// deliveryFilter reads state and provider.
func deliveryFilter(r *http.Request) (f store.DeliveryFilter, err error) {
	q := r.URL.Query()
	f.Provider, f.State = q.Get("provider"), store.DeliveryState(q.Get("state"))
	switch f.State {
	case "", store.DeliveryWaiting, store.DeliveryDone, store.DeliveryIgnored, store.DeliveryFailed:
		return f, nil
	}
	return f, badParameter("state", "It must be waiting, done, ignored or failed.")
}

func deliveryID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, notFound("A delivery's id is a whole number.")
	}
	return id, nil
}

// getDelivery shows one delivery, without its body.
func (a *API) getDelivery(w http.ResponseWriter, r *http.Request) error {
	id, err := deliveryID(r)
	if err != nil {
		return err
	}
	d, err := a.store.Delivery(r.Context(), id)
	if err != nil {
		return err
	}
	return answerJSON(w, r, deliveryViewOf(&d))
}

// getDeliveryBody shows what was delivered. It may tell more of people than the
// rest of what is kept, so it is for administrators.
func (a *API) getDeliveryBody(w http.ResponseWriter, r *http.Request) error {
	id, err := deliveryID(r)
	if err != nil {
		return err
	}
	body, err := a.store.DeliveryBody(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("X-Content-Type-Options", "nosniff") // a stranger wrote it
	w.Header().Set("Content-Disposition", "attachment")
	return writeBytes(w, http.StatusOK, body)
}

// replayed is the answer to a replay.
type replayed struct {
	Replayed int64 `json:"replayed"` // deliveries that wait to be read once more
}

// postReplay has one delivery read once more.
func (a *API) postReplay(w http.ResponseWriter, r *http.Request) error {
	id, err := deliveryID(r)
	if err != nil {
		return err
	}
	if err := a.store.ReplayDelivery(r.Context(), id); err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, replayed{1})
}

// postReplays has all failed deliveries read once more, or those of another
// state.
func (a *API) postReplays(w http.ResponseWriter, r *http.Request) error {
	filter, err := deliveryFilter(r)
	if err != nil {
		return err
	}
	if filter.State == "" {
		filter.State = store.DeliveryFailed
	}
	n, err := a.store.ReplayDeliveries(r.Context(), filter)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, replayed{n})
}

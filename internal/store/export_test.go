package store

import "fmt"

// BatchTexts returns the texts of the statements that write a batch, as
// PostgreSQL gets them.
func BatchTexts() []string {
	var all []string
	for _, st := range append(batchStatements, insertProjectsStatement) {
		place, _ := unnest(st.table, nil)
		all = append(all, fmt.Sprintf(st.text, place))
	}
	return all
}

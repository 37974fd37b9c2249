package profiles

// Table is rows of data that requests are filled with: ${users.id} stands for the
// column id of a row of the table users. See profiles/data.
type Table struct {
	Name string
	File string // CSV with a line of column names, or JSON Lines
	Pick Pick

	// Columns and Rows are what File holds, once it has been read; nil: it has not.
	// They are shared by copies of a profile and must not be changed.
	Columns []string
	Rows    [][]string // each as long as Columns
}

// Pick says which row of a table a request, or a journey, gets.
type Pick string

// The ways to pick a row.
const (
	PickSequential Pick = "sequential" // one after the other, and again from the first
	PickRandom     Pick = "random"     // any, the same for the same request of the same run
	PickOnce       Pick = "once"       // one after the other; the load ends when all are used
)

// Picks returns the ways to pick a row.
func Picks() []Pick { return []Pick{PickSequential, PickRandom, PickOnce} }

package topologies

// The generators of the built-in inputs, for tests.
var (
	RepeatedRow = repeatedRow
	ShownAd     = shownAd
	ClickedAd   = clickedAd
	MakeOrder   = order
	MakeVisit   = visit
	MakeStudent = student
	MakeClass   = class
	ClassRows   = classRows
	LateTrade   = lateTrade
	LiveTrade   = liveTrade
	MakeReport  = report
)

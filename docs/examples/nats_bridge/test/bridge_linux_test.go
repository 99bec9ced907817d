package test

import "testing"

func TestBridge(t *testing.T) {
	c := startCluster(t)
	t.Run("calls", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *cluster){
			"hostPrintsTheSameWhereverTheWorkIsDone":    hostPrintsTheSameWhereverTheWorkIsDone,
			"requestsThatAreLateAreNotRun":              requestsThatAreLateAreNotRun,
			"claimsThatHaveLapsedAreNotRun":             claimsThatHaveLapsedAreNotRun,
			"workersThatAreTerminatedLoseNoRequest":     workersThatAreTerminatedLoseNoRequest,
			"requestsAreSentOnce":                       requestsAreSentOnce,
			"claimsThatLeadNowhereAreOfferedAgain":      claimsThatLeadNowhereAreOfferedAgain,
			"jobsRunOnceThoughStartedAgain":             jobsRunOnceThoughStartedAgain,
			"jobsFirstResultStays":                      jobsFirstResultStays,
			"jobsRunOnceHoweverLateTheyAreStartedAgain": jobsRunOnceHoweverLateTheyAreStartedAgain,
			"jobsWithTooLargeResultsRunOnceAndFail":     jobsWithTooLargeResultsRunOnceAndFail,
			"hostsEndWhenAJobsResultIsOfNoUse":          hostsEndWhenAJobsResultIsOfNoUse,
			"hostsTellAnAnswerThatIsNoCount":            hostsTellAnAnswerThatIsNoCount,
			"jobsRunOnceHoweverLong":                    jobsRunOnceHoweverLong,
			"jobsOfTerminatedWorkersAreRunByOthers":     jobsOfTerminatedWorkersAreRunByOthers,
			"jobsThatNeverEndAreGivenUp":                jobsThatNeverEndAreGivenUp,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, c)
			})
		}
		for name, test := range map[string]func(*testing.T, *stage){
			"withoutWorkerOrServerNothingStarts":           withoutWorkerOrServerNothingStarts,
			"handlersFailuresArriveAsTheyAre":              handlersFailuresArriveAsTheyAre,
			"callsThatWaitForAPlaceTimeOutBeforeTheyStart": callsThatWaitForAPlaceTimeOutBeforeTheyStart,
			"hostsThatGiveUpEndTheHandler":                 hostsThatGiveUpEndTheHandler,
			"workersThatAreSilentAreDead":                  workersThatAreSilentAreDead,
			"workersThatAreStoppedLeaveDoubtUnlessExact":   workersThatAreStoppedLeaveDoubtUnlessExact,
			"workersThatAreTerminatedFinishTheirCalls":     workersThatAreTerminatedFinishTheirCalls,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				forEachMode(t, c, test)
			})
		}
	})
	if !t.Failed() {
		t.Run("killsLoseNothing", func(t *testing.T) { killsLoseNothing(t, c) })
	}
}

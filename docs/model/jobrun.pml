/* Claim, heartbeat, verdict and retry of runs under controllers that all write at once. README.md says what stands for
   what in the code, what is left out, and what the names in #ifdef are. Each step of a process is one `atomic`: a
   request that the API server takes, or something that happens inside one program. */

#ifndef RUNS
#define RUNS 2
#endif
#define CONTROLLERS 2
#define TIMEOUT 2    /* ticks of silence that are too many; a worker beats each tick */
#define GRACE_MAX 2  /* two of the worker's intervals */

mtype:phase = { pending, running, succeeded, ended }  /* ended: Failed or Stuck */
mtype:retry = { undecided, due, created, settled }    /* settled: NotDue, Exhausted */
mtype:worker = { nobody, alive, mute }                /* mute: hangs or is dead */
mtype:view = { unlisted, unread, sees_pending, sees_running, sees_ended, over }
mtype:request = { none, expire, verdict, decide, create, record }

/* What the API server holds, and what is true of the worker. */
typedef Run {
  mtype:phase phase = pending;
  mtype:retry retry = undecided;
  mtype:worker worker = nobody;
  byte silence;     /* ticks with a store that takes writes, since creation, claim or the last accepted beat */
  byte made;        /* successors ever created for it */
  bool there;       /* an object has the successor's name */
#ifdef RESTART_FORGETS_STOPS
  byte age;         /* ticks of any kind */
#endif
}
Run job[RUNS];

/* What a controller knows of a run. */
typedef View {
  mtype:view view = unlisted;
  byte silence;     /* on its silence clock, since it saw the last change */
  bool behind;      /* the run has changed since */
}
typedef Controller {
  View knows[RUNS];
  mtype:request request = none;  /* the one under way */
  byte about;                    /* the run it is about */
  bool current;                  /* nothing was written since the version that it carries */
}
Controller controller[CONTROLLERS];

bool up = true;      /* the store takes writes */
byte stop;           /* how long it has not */
byte grace;          /* workers may take so long to come back, and no verdict is written */
bool calm = false;   /* no more faults */

#define IS_TERMINAL(r) (job[r].phase == succeeded || job[r].phase == ended)
#define IS_SETTLED(r) (job[r].phase == succeeded || (job[r].phase == ended && \
  (job[r].retry == settled || (job[r].retry == created && job[r].made == 1))))

/* Every write moves the resourceVersion: who judged or read an earlier one has a stale guard. */
inline touch(r) {
  d_step {
    controller[0].knows[r].behind = true; controller[1].knows[r].behind = true;
    if :: controller[0].about == r -> controller[0].current = false :: else fi;
    if :: controller[1].about == r -> controller[1].current = false :: else fi;
  }
}

/* A terminal phase is final, and whoever leads, there is one verdict (I8). */
inline finish(r, how, decision) {
  assert(!IS_TERMINAL(r));  /* I3 */
  job[r].phase = how; job[r].retry = decision; job[r].silence = 0;
#ifndef TERMINAL_IS_NOT_FINAL
  job[r].worker = nobody;   /* A zombie may be left, but all that it writes is refused. */
#endif
#ifdef RESTART_FORGETS_STOPS
  job[r].age = 0;
#endif
  touch(r);
}

#ifdef TERMINAL_IS_NOT_FINAL
#define ACCEPTED(r) true
#else
#define ACCEPTED(r) (!IS_TERMINAL(r))
#endif

#define VIEW controller[c].knows[r]
#define MINE controller[c]

inline idle(c) { MINE.request = none; MINE.about = 0; MINE.current = false }

/* ---- workers ---- */

inline beat(r) {
  job[r].silence = 0; job[r].worker = alive;
#ifdef RESTART_FORGETS_STOPS
  job[r].age = 0;
#endif
  touch(r)
}

proctype Worker(byte r) {
  do
  :: atomic { up && job[r].phase == pending -> printf("run %d: claimed\n", r); job[r].phase = running; beat(r) }
  :: atomic { up && job[r].phase == running && job[r].worker == alive && job[r].silence > 0 ->
       printf("run %d: its worker beats\n", r); beat(r) }
  :: atomic { job[r].phase == running && job[r].worker == alive ->
       printf("run %d: its worker falls silent\n", r); job[r].worker = mute }
  /* It comes back, with a heartbeat or the end of its work. Refused (the fence), it stops, which leaves no trace. */
  :: atomic { !calm && up && job[r].worker == mute ->
       if
       :: ACCEPTED(r) && job[r].phase == running -> printf("run %d: its worker is back\n", r); beat(r)
       :: ACCEPTED(r) -> printf("run %d: its worker is back, and done\n", r); finish(r, succeeded, undecided)
       fi }
  od
}

/* A process of its own, so that fairness sees to it that no work lasts for ever. */
proctype WorkEnds(byte r) {
  do
  :: atomic { up && job[r].phase == running && job[r].worker == alive ->
       printf("run %d: its worker ends it\n", r);
       if :: finish(r, succeeded, undecided) :: finish(r, ended, undecided) fi }
  od
}

/* ---- time and faults ---- */

/* A live worker beats before the tick that would make its silence longer than one; after a stop it has time until the
   grace ends to come back. */
#define MUST_BEAT(r) (job[r].phase == running && job[r].worker == alive && job[r].silence >= 1 && grace <= 1)
#ifdef NO_GRACE
#define GRACE_OVER true
#else
#define GRACE_OVER (grace == 0)
#endif
#define COUNTS(c, r) (controller[c].knows[r].view == sees_pending || controller[c].knows[r].view == sees_running)

inline age_view(c, r) {
  if
  :: COUNTS(c, r) && controller[c].knows[r].silence < TIMEOUT -> controller[c].knows[r].silence++
  :: else
  fi
}

inline age_run(r) {
  if :: !IS_TERMINAL(r) && job[r].silence < TIMEOUT -> job[r].silence++ :: else fi
}

inline age_truly(r) {
#ifdef RESTART_FORGETS_STOPS
  if :: !IS_TERMINAL(r) && job[r].age < TIMEOUT -> job[r].age++ :: else fi
#else
  skip
#endif
}

proctype Clock() {
  byte r = 0, c = 0;
  do
  :: atomic { up && !MUST_BEAT(0) && !MUST_BEAT(RUNS - 1) ->
       printf("time passes\n");
       d_step {
         for (r : 0 .. RUNS - 1) {
           age_run(r); age_truly(r);
           for (c : 0 .. CONTROLLERS - 1) { age_view(c, r) }
         }
#ifndef GRACE_NEVER_ENDS
         if :: grace > 0 -> grace-- :: else fi;
#endif
         r = 0; c = 0
       } }
  :: atomic { !up ->
       printf("time passes, and the store takes no writes\n");
       d_step {
         if :: stop < GRACE_MAX -> stop++ :: else fi;
         for (r : 0 .. RUNS - 1) {
           age_truly(r);
#ifdef OUTAGE_IS_SILENCE
           for (c : 0 .. CONTROLLERS - 1) { age_view(c, r) }
#endif
         }
         r = 0; c = 0
       } }
  od
}

proctype Outages() {
  do
  :: atomic { up && !calm -> printf("the store takes no more writes\n"); up = false }
  :: atomic { !up -> printf("the store takes writes again\n"); up = true;
       if :: stop > grace -> grace = stop :: else fi;
       stop = 0 }
  od
}

proctype Calm() {
  do
  :: !calm -> calm = true
  od
}

/* Killed and started again: all it knew is gone. Its request under way may have been taken before (see Api). */
proctype Crashes(byte c) {
  byte r = 0;
  do
  :: atomic { !calm ->
       printf("controller %d is killed and started\n", c);
       d_step {
         for (r : 0 .. RUNS - 1) {
           VIEW.view = unlisted; VIEW.silence = 0; VIEW.behind = true
         }
         r = 0;
         idle(c)
       } }
  od
}

/* User: deletes a successor that was recorded. */
proctype Deletes(byte r) {
#ifdef DELETED_BEFORE_A_LATE_CREATE
#define CREATING(c, r) false
#else
#define CREATING(c, r) (controller[c].request == create && controller[c].about == r)
#endif
  do
  :: atomic { !calm && up && job[r].there && job[r].retry == created && !CREATING(0, r) && !CREATING(1, r) ->
       printf("run %d: somebody deletes its successor\n", r); job[r].there = false }
  od
}

/* ---- controllers ---- */

inline send(c, r, what, is_current) { MINE.request = what; MINE.about = r; MINE.current = is_current }

/* An event of the watch, or a read: the run as it is now. */
inline see(c, r) {
  if
  :: VIEW.view == unlisted ->
#ifdef RESTART_FORGETS_STOPS
       VIEW.silence = job[r].age
#else
       VIEW.silence = job[r].silence  /* from the server's stamps */
#endif
  :: else -> VIEW.silence = 0         /* it changed */
  fi;
  if
  :: job[r].phase == pending -> VIEW.view = sees_pending
  :: job[r].phase == running -> VIEW.view = sees_running
  :: job[r].phase == succeeded -> VIEW.view = over; VIEW.silence = 0
#ifdef RETRIES_ARE_REMEMBERED_IN_MEMORY
  :: job[r].phase == ended && VIEW.view == unlisted -> VIEW.view = over; VIEW.silence = 0
  :: job[r].phase == ended && VIEW.view != unlisted -> VIEW.view = sees_ended; VIEW.silence = 0
#else
  :: job[r].phase == ended -> VIEW.view = sees_ended; VIEW.silence = 0
#endif
  fi;
  VIEW.behind = false
}

/* 409: what was judged is no more. It is read and judged anew. */
inline conflict(c, r) {
  printf("refused\n");
#ifdef RESENT_WITH_A_FRESH_VERSION
  MINE.current = true
#else
  if :: VIEW.behind && VIEW.view != unlisted -> VIEW.view = unread; VIEW.silence = 0 :: else fi;
  idle(c)
#endif
}

#ifdef NO_GUARD
#define GUARD(c) true
#else
#define GUARD(c) (MINE.current)
#endif

/* The answer to a write came, or was lost and the watch will tell. */
inline written(c, r, now) {
  printf("accepted\n");
  if
  :: VIEW.view = now; VIEW.silence = 0; VIEW.behind = false
#ifndef NO_LOSS
  :: !calm -> printf("its answer is lost\n")
#endif
  fi;
  idle(c)
}

inline write_verdict(c, r) {
  if
  :: !ACCEPTED(r) -> conflict(c, r)                  /* 422: the run is over */
  :: ACCEPTED(r) && !GUARD(c) -> conflict(c, r)
  :: ACCEPTED(r) && GUARD(c) && MINE.request == expire ->
       assert(job[r].phase == pending);              /* I1: nobody has claimed it */
       finish(r, ended, settled); written(c, r, over)
  :: ACCEPTED(r) && GUARD(c) && MINE.request == verdict ->
       assert(job[r].worker != alive);               /* I1: nobody who beats when he can */
       assert(job[r].silence == TIMEOUT);            /* I1: nor anybody within the timeout */
       finish(r, ended, due); written(c, r, sees_ended)
  fi
}

#ifdef NO_GUARD_OF_THE_DECISION
#define RETRY_GUARD(c) true
#else
#define RETRY_GUARD(c) (MINE.current)
#endif

inline write_retry(c, r, from, now) {
  if
  :: !RETRY_GUARD(c) -> conflict(c, r)
  :: RETRY_GUARD(c) ->
       assert(job[r].phase == ended && job[r].retry == from);  /* I8: one decision, one record of what became of it */
       job[r].retry = now; touch(r);
       written(c, r, sees_ended)
  fi
}

inline write_successor(c, r) {
#ifdef RANDOM_NAME
  job[r].there = false;
#endif
  if
  :: !job[r].there -> printf("run %d: its successor is created\n", r); job[r].made++; job[r].there = true;
       assert(job[r].phase == ended);  /* I5: whoever may still work has no successor */
       assert(job[r].made == 1)        /* I5 */
  :: job[r].there                      /* AlreadyExists, and it is ours */
  fi;
  if
#ifdef CREATED_BEFORE_IT_IS_RECORDED
  :: job[r].phase == running -> MINE.request = verdict
#endif
  :: job[r].phase == ended -> MINE.request = record
#ifndef NO_LOSS
  :: !calm -> printf("its answer is lost\n"); idle(c)
#endif
  fi
}

#ifdef CREATED_BEFORE_IT_IS_RECORDED
#define FIRST create
#else
#define FIRST verdict
#endif

/* What controller c does about run r. No election: both lead all the time. */
proctype Watch(byte c; byte r) {
  do
  :: atomic { up && (VIEW.behind || VIEW.view == unlisted || VIEW.view == unread) ->
       printf("controller %d sees run %d\n", c, r); see(c, r) }
  /* The reaper: what is judged is what it knows, in the version that it knows. */
  :: atomic { MINE.request == none && VIEW.view == sees_pending && VIEW.silence == TIMEOUT && GRACE_OVER ->
       printf("controller %d: run %d was claimed by nobody\n", c, r); send(c, r, expire, !VIEW.behind) }
  :: atomic { MINE.request == none && VIEW.view == sees_running && VIEW.silence == TIMEOUT && GRACE_OVER ->
       printf("controller %d: run %d is silent\n", c, r); send(c, r, FIRST, !VIEW.behind) }
  /* The outbox: each pass begins with a read. */
  :: atomic { MINE.request == none && up && VIEW.view == sees_ended ->
       printf("controller %d reads run %d, which has ended\n", c, r);
       VIEW.behind = false;
       if
       :: job[r].retry == undecided -> send(c, r, decide, true)
       :: job[r].retry == due -> send(c, r, create, true)
       :: job[r].retry == created || job[r].retry == settled -> VIEW.view = over
       fi }
  od
}

/* The API server takes the request that controller c has under way, or the network loses it. */
proctype Api(byte c) {
  byte r = 0;
  do
  :: atomic { up && MINE.request != none ->
       r = MINE.about;
       if
       :: MINE.request == expire || MINE.request == verdict ->
            printf("controller %d: its verdict on run %d arrives\n", c, r);
            write_verdict(c, r)
       :: MINE.request == decide ->
            printf("controller %d: its decision about run %d arrives\n", c, r);
            if :: write_retry(c, r, undecided, due) :: write_retry(c, r, undecided, settled) fi
       :: MINE.request == create ->
            printf("controller %d: its creation for run %d arrives\n", c, r);
            write_successor(c, r)
       :: MINE.request == record ->
            printf("controller %d: its record of the successor of run %d arrives\n", c, r);
            write_retry(c, r, due, created)
       fi;
       r = 0 }
#ifndef NO_LOSS
  :: atomic { !calm && MINE.request != none -> printf("controller %d: its request is lost\n", c); idle(c) }
#endif
  od
}

init {
  byte r = 0, c = 0;
  atomic {
    for (r : 0 .. RUNS - 1) {
      run Worker(r); run WorkEnds(r);
#ifndef NO_DELETES
      run Deletes(r)
#endif
    }
    for (c : 0 .. CONTROLLERS - 1) {
      run Crashes(c); run Api(c);
      for (r : 0 .. RUNS - 1) { controller[c].knows[r].behind = true; run Watch(c, r) }
    }
    run Clock();
#ifndef NO_OUTAGES
    run Outages();
#endif
#ifdef CALM
    run Calm();
#endif
    r = 0; c = 0
  }
}

/* I6, I7: once faults have ended every run comes to its end, and every retry to its. */
ltl progress { <> (IS_SETTLED(0) && IS_SETTLED(RUNS - 1)) }

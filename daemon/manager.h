/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiesced's centre: the rooms, and the way between them.
 *
 * What happens (a method call, a writer's answer, a step's end, a passed deadline, a vanished name) is fed
 * to the contract as an input; what the contract answers is carried out at once, in order (executor.c). An
 * effect that fails at once becomes an input itself, which waits in a queue until the effects before it are
 * done: nothing recurses into the machine. Nothing here asks what state a session is in.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "contract/contract.h"
#include "daemon/config.h"
#include "daemon/sets/sets.h"
#include "daemon/writers/writers.h"

typedef struct Manager Manager;
typedef struct Access Access;
typedef struct BusCall BusCall;
typedef struct Deadline Deadline;
typedef struct Inhibitor Inhibitor;
typedef struct Keeper Keeper;
typedef struct KeptCall KeptCall;
typedef struct Owners Owners;
typedef struct PendingStep PendingStep;
typedef struct PublishedSet PublishedSet;
typedef struct QueuedInput QueuedInput;
typedef struct Registration Registration;
typedef struct SessionObject SessionObject;
typedef struct SetStore SetStore;

/* Whatever comes on the system bus waits for what is under way: writers' answers on their own sockets, steps
 * of the set, children, deadlines. So nobody's calls delay a Thaw. */
#define BUS_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

struct Manager {
        Config *config; /* changed by reload.c alone */
        sd_event *event;
        sd_bus *bus; /* NULL once it is lost */
        char *bus_guid;
        Owners *owners;
        Contract *contract;
        Writers *writers;
        Sets *sets;
        SetStore *set_store, *document_store;

        /* startup.c */
        int instance_fd;              /* locked: no other quiesced has this runtime directory */
        sd_event_source *start_timer; /* until then LVM is waited for before the bus name is asked for */
        bool name_asked, name_ours;   /* the bus name */
        bool sets_told;               /* LVM has told which sets there are, or has failed: */
        int sets_error;

        bool feeding;
        QueuedInput *queue, **queue_end;
        bool dark;
        uint64_t watchdog_usec;
        bool stopping;
        bool stop_after_dark, reload_after_dark;

        uint64_t last_handle, last_token;
        size_t n_sessions;
        SessionObject *sessions;
        BusCall *calls;
        PublishedSet *published;
        KeptCall *kept_calls;
        Access *accesses;
        Registration *registrations;
        uint64_t last_question;
        Deadline *deadlines;
        PendingStep *steps;
        Inhibitor *inhibitor;
        Keeper *keeper;
        sd_event_source *signal_sources[3];
};

int manager_new(Manager **ret, Config *config);
SetsConfig manager_sets_config(Manager *manager);
Manager *manager_free(Manager *manager);
DEFINE_CLEANUP(Manager *, manager_free)

/* inputs.c */
void manager_feed(Manager *manager, ContractInput *input);
uint64_t now_usec(clockid_t clock);

/* startup.c */
int manager_start(Manager *manager);
void manager_name_granted(Manager *manager);
void manager_ask_lvm_again(Manager *manager);
const char *manager_get_not_told(const Manager *manager);

/* shutdown.c */
void manager_stop(Manager *manager);
void manager_bus_lost(Manager *manager);
void manager_sessions_gone(Manager *manager);
void manager_fail(Manager *manager, int r, const char *what);

/* reload.c */
int manager_reload(Manager *manager, char **ret_wrong);
void manager_reload_by_signal(Manager *manager);

/* executor.c, effect-event.c, effect-step.c */
void effects_carry_out(Manager *manager, const ContractEffects *effects);
void effects_record(Manager *manager, const ContractEffects *effects);
void effect_event(Manager *manager, SessionObject *session, const ContractEffect *effect);
void effect_step(Manager *manager, SessionObject *session, const ContractEffect *effect);
PendingStep *pending_steps_free(PendingStep *steps);

/* answers.c: what the rooms call back with */
void writers_launched(uint64_t session, const ContractWriterSpec *writers, size_t n_writers, void *userdata);
void writers_answered(uint64_t session, uint32_t writer, ContractEvent event, const WriterAnswer *answer,
                      void *userdata);
void writers_gone(uint64_t session, uint32_t writer, void *userdata);
void sets_space_low(const char *set_id, const char *snapshot_id, double full, void *userdata);
void sets_invalid(const char *set_id, const char *snapshot_id, const char *reason, void *userdata);
void sets_removed(const char *set_id, const char *snapshot_id, const char *reason, void *userdata);

/* deadlines.c */
void deadline_arm_effect(Manager *manager, const ContractEffect *effect);
void deadline_disarm_effect(Manager *manager, const ContractEffect *effect);
void deadlines_after_dark(Manager *manager);
Deadline *deadlines_free(Deadline *deadlines);

/* darkness.c */
void manager_dark_begin(Manager *manager);
void manager_dark_end(Manager *manager);
void manager_pause_stores(Manager *manager, bool pause);
void manager_lock_memory(Manager *manager, bool lock);

/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What LVM has: listings, shared by all who ask at the same time; and its own configuration, read once.
 *
 * A listing that has not started yet serves everybody who asks for the same groups. One that is over is kept
 * for who can live with a somewhat older one (AddToSnapshotSet, called for many volumes in a row), until a
 * command of ours may have changed that group.
 */

#include <assert.h>
#include <time.h>

#include "daemon/providers/lvm-command.h"
#include "util/error.h"
#include "util/log.h"

#define LVM_REPORT_SIZE_MAX UINT32_C(33554432)
#define LVM_CONFIG_SIZE_MAX UINT32_C(4096)
#define LVM_CONFIG_LIMIT    (20 * USEC_PER_SEC)

typedef struct ListRequest {
        struct ListRequest *next;
        LvmListed done;
        void *userdata;
} ListRequest;

/* Of one group, or (vg "") of all. Asked for: it has requests. Else it is kept. */
struct LvmListing {
        Lvm *lvm;
        LvmListing *next;
        char *vg;
        ListRequest *requests;
        LvmReport *report;
        uint64_t taken_usec; /* CLOCK_MONOTONIC */
        bool stale;          /* something has changed since it was asked for */
        bool telling;
};

/* An administrator's taste in reports must not change what we read. */
static const char report_config[] = "report/compact_output=0 report/binary_values_as_numeric=0 "
                                    "report/list_item_separator=\",\"";
static const char locking_dir_key[] = "locking_dir=\"";

static uint64_t now_usec(void) {
        struct timespec t = {};

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / NSEC_PER_USEC;
}

/**
 * lvm_listing_free() - forget a listing, without a word to who asked for it
 * @listing:    it or NULL
 *
 * Return: the next one.
 */
LvmListing *lvm_listing_free(LvmListing *listing) {
        LvmListing *next;

        if (!listing)
                return NULL;
        next = listing->next;
        while (listing->requests) {
                ListRequest *request = listing->requests;

                listing->requests = request->next;
                free(request);
        }
        (void) lvm_report_free(listing->report);
        free(listing->vg);
        free(listing);
        return next;
}

static void listing_remove(LvmListing *listing) {
        LvmListing **p = &listing->lvm->listings;

        while (*p != listing)
                p = &(*p)->next;
        *p = lvm_listing_free(listing);
}

/**
 * lvm_listings_invalidate() - what was listed may be wrong from now on
 * @lvm:        the runner
 * @lane:       the group that a command of ours changes
 */
void lvm_listings_invalidate(Lvm *lvm, const char *lane) {
        for (LvmListing *l = lvm->listings; l; l = l->next) {
                if (*l->vg && *lane && !streq(l->vg, lane))
                        continue;
                l->stale = true;
        }
}

/* Its callbacks may ask for listings: as long as they run, this one is out of reach. */
static void listing_tell(LvmListing *listing, int error, const char *text) {
        ListRequest *requests = TAKE_PTR(listing->requests);

        listing->telling = true;
        while (requests) {
                ListRequest *request = requests;

                requests = request->next;
                request->done(error, listing->report, text, request->userdata);
                free(request);
        }
        listing->telling = false;
        if (error < 0 || listing->stale || !*listing->vg)
                listing_remove(listing);
}

/* A listing that failed because there is no such group has just no volumes. */
static bool said_no_group(const LvmAnswer *answer) {
        return answer->error == -EIO && strstr(answer->text, "Volume group \"") &&
               strstr(answer->text, "not found");
}

static void on_listed(const LvmAnswer *answer, void *userdata) {
        LvmListing *listing = userdata;
        char reason[200] = "", text[CONTRACT_TEXT_MAX] = "";
        int error = answer->error;
        int r;

        (void) snprintf(text, sizeof(text), "%s", answer->text ?: "");
        if (error == 0 || said_no_group(answer)) {
                r = lvm_report_new(&listing->report, answer->out, answer->n_out, reason, sizeof(reason));
                error = r > 0 ? -EBADMSG : r;
                if (r > 0)
                        (void) snprintf(text, sizeof(text), "What lvm lvs printed is no report: %s.",
                                        reason);
                else if (r < 0)
                        (void) snprintf(text, sizeof(text), "There is no memory for LVM's report.");
        }
        listing->taken_usec = now_usec();
        listing_tell(listing, error, error < 0 ? text : NULL);
}

static int listing_start(LvmListing *listing) {
        LvmCommandSpec spec = {
                .lane = listing->vg,
                .arguments = {"lvs", "--all", "--reportformat", "json", "--units", "b", "--nosuffix",
                              "--config", report_config, "--sort", "vg_name,lv_name,seg_start", "-o",
                              lvm_report_columns, *listing->vg ? listing->vg : NULL},
                .limit_usec = LVM_REPORT_LIMIT,
                .out_max = LVM_REPORT_SIZE_MAX,
        };

        return error_trace(lvm_command_new(NULL, listing->lvm, &spec, on_listed, listing));
}

static int listing_new(LvmListing **ret, Lvm *lvm, const char *vg) {
        LvmListing *listing = calloc(1, sizeof(*listing));
        int r;

        if (!listing)
                return error_origin(-ENOMEM);
        listing->lvm = lvm;
        listing->vg = strdup(vg);
        r = listing->vg ? listing_start(listing) : -ENOMEM;
        if (r < 0) {
                (void) lvm_listing_free(listing);
                return error_trace(r);
        }
        listing->next = lvm->listings;
        lvm->listings = listing;
        *ret = listing;
        return 0;
}

static int listing_add(LvmListing *listing, LvmListed done, void *userdata) {
        ListRequest *request = calloc(1, sizeof(*request)), **end = &listing->requests;

        if (!request)
                return error_origin(-ENOMEM);
        request->done = done;
        request->userdata = userdata;
        while (*end)
                end = &(*end)->next;
        *end = request;
        return 0;
}

/**
 * lvm_list_recent() - list volumes, or use what was listed a moment ago
 * @lvm:            the runner
 * @vg:             one group, or NULL for all
 * @max_age_usec:   how old it may be; 0: it must be taken from now on
 * @done:           called once, from the event loop
 * @userdata:       for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_list_recent(Lvm *lvm, const char *vg, uint64_t max_age_usec, LvmListed done, void *userdata) {
        LvmListing *listing = NULL;
        int r;

        for (LvmListing *l = lvm->listings, *next; l; l = next) {
                next = l->next;
                if (!streq(l->vg, vg ?: "") || l->telling)
                        continue;
                /* One that runs may have read the group already: it serves only who takes an older one. */
                if (max_age_usec > 0 && !l->stale &&
                    (!l->report || now_usec() - l->taken_usec < max_age_usec))
                        listing = l;
                else if (l->report && !l->requests)
                        listing_remove(l);
        }
        if (!listing) {
                r = listing_new(&listing, lvm, vg ?: "");
                if (r < 0)
                        return error_trace(r);
        }
        r = listing_add(listing, done, userdata);
        if (r < 0)
                return error_trace(r);
        if (listing->report)
                lvm_pump(lvm); /* no command will come back to answer it */
        return 0;
}

/**
 * lvm_listings_answer() - answer who asked for what had been listed already
 * @lvm:        the runner
 *
 * Return: whether anybody was answered; the listings may be others then.
 */
bool lvm_listings_answer(Lvm *lvm) {
        for (LvmListing *l = lvm->listings; l; l = l->next)
                if (l->report && l->requests) {
                        listing_tell(l, 0, NULL);
                        return true;
                }
        return false;
}

/**
 * lvm_list() - list volumes as they are now
 * @lvm:        the runner
 * @vg:         one group, or NULL for all; one that does not exist has no volumes
 * @done:       called once, from the event loop
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_list(Lvm *lvm, const char *vg, LvmListed done, void *userdata) {
        return error_trace(lvm_list_recent(lvm, vg, 0, done, userdata));
}

/* locking_dir="/run/lock/lvm" */
static void locking_dir_read(Lvm *lvm, const char *out) {
        const char *value, *end;

        if (strncmp(out, locking_dir_key, strlen(locking_dir_key)) != 0)
                return;
        value = out + strlen(locking_dir_key);
        end = strpbrk(value, "\"\\\n");
        if (!end || *end != '"' || *value != '/' || (size_t) (end - value) >= sizeof(lvm->locking_dir))
                return;
        (void) snprintf(lvm->locking_dir, sizeof(lvm->locking_dir), "%.*s", (int) (end - value), value);
}

static void on_configuration(Child *child, const ChildResult *result, void *userdata) {
        char text[CONTRACT_TEXT_MAX] = "";
        Lvm *lvm = userdata;

        if (result->error == 0 && result->status == 0)
                locking_dir_read(lvm, result->out);
        /* Without it no set can be made, and BEGIN_PREPARE says so. Everything else goes on. */
        if (!lvm->locking_dir[0]) {
                lvm_text_of_child(text, sizeof(text), "lvmconfig", result, LVM_CONFIG_LIMIT);
                log_warning("LVM's lock directory (global/locking_dir) is unknown: %s", text);
        }
        lvm->configured = true;
        lvm->configuration = child_free(lvm->configuration);
        lvm_pump(lvm);
}

/**
 * lvm_configure() - ask LVM for what its configuration says, before its first command
 * @lvm:        the runner; no command starts until the answer is there
 *
 * Return: 0: it has been asked; or a negative errno.
 */
int lvm_configure(Lvm *lvm) {
        const char *argv[] = {lvm->program, "lvmconfig", "--type", "full", "global/locking_dir", NULL};
        ChildSpec spec = {.argv = argv, .limit_usec = LVM_CONFIG_LIMIT, .out_max = LVM_CONFIG_SIZE_MAX};

        return error_trace(child_spawn(&lvm->configuration, lvm->event, &spec, on_configuration, lvm));
}

/**
 * lvm_lock_path() - where LVM's own lock of a group is
 * @lvm:        the runner, whose first command has run
 * @vg:         the group
 * @ret:        the path; "": LVM has not told where its locks are
 */
void lvm_lock_path(const Lvm *lvm, const char *vg, char ret[static LVM_LOCK_PATH_SIZE]) {
        ret[0] = '\0';
        if (lvm->locking_dir[0])
                (void) snprintf(ret, LVM_LOCK_PATH_SIZE, "%s/V_%s", lvm->locking_dir, vg);
}

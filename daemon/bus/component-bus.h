/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Methods and answers about writers and their components, of whichever interface. */

#include "daemon/bus/call.h"

int method_enable_writers(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_disable_writers(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_gather_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_save_document(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_add_component(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_set_backup_options(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_set_previous_backup_stamp(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_set_backup_succeeded(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_set_selected_for_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_set_restore_options(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_set_file_restore_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_writer_components(sd_bus_message *m, void *userdata, sd_bus_error *reterr);

/* document-reply.c: BusCallReply; and what is kept with a persistent set */
int reply_save_document(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
void session_document_save(SessionObject *session);

/* metadata-reply.c: BusCallReply */
int reply_gather_writer_metadata(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_get_writer_metadata(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_get_writer_components(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);

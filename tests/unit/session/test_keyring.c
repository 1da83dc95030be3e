#include <CUnit/CUnit.h>
void suite_keyring(void);
void suite_keyring(void) { CU_add_suite("keyring", NULL, NULL); }
